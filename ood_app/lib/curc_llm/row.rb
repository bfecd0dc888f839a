# frozen_string_literal: true

module CurcLlm
  # One launch of the table: a plan that fits, or why it doesn't.
  class Row
    # @param values [Array] the plan's values, or [reason, alternatives]
    # @param columns [Array<String>]
    def initialize(values, columns)
      @values, @columns = values, columns
    end

    def fits?
      @values.length > 2
    end

    # @return [String] why it doesn't fit
    def reason
      fits? ? '' : @values[0]
    end

    # @return [Array<String>] keys of places where it does, the nearest first
    def alternatives
      fits? ? [] : @values[1].map { |name| name.split(':').first(2).join(':') }
    end

    %i[quantisation data_parallel_size num_nodes max_model_len chats cpus memory_gib su_per_h].each do |name|
      define_method(name) { @values[@columns.index(name.to_s)] }
    end

    # @return [Array] of some columns
    def values_of(columns)
      columns.map { |name| @values[@columns.index(name)] }
    end
  end
end
