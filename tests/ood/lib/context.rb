# frozen_string_literal: true

require 'ostruct'

module Portal
  # The fields of one form with what a person entered.
  class Context
    include Enumerable

    def initialize(attributes)
      @attributes = attributes
    end

    def each(&block)
      @attributes.each(&block)
    end

    def [](id)
      @attributes.find { |attribute| attribute.id == id.to_s }
    end

    # Takes what the browser sent: only fields of the form that aren't fixed, and only single values. The portal
    # drops lists and hashes (Rails' `permit`) and what it doesn't know.
    def assign(params)
      params.each do |id, value|
        attribute = self[id]
        next if attribute.nil? || attribute.fixed? || value.is_a?(Array) || value.is_a?(Hash)

        attribute.value = value
      end
      self
    end

    # @return [Hash{Symbol=>String}]
    def to_h
      @attributes.to_h { |attribute| [attribute.id.to_sym, attribute.value] }
    end

    # What user_defined_context.json holds: all that isn't fixed.
    def to_json_values
      @attributes.reject(&:fixed?).to_h { |attribute| [attribute.id, attribute.value] }
    end

    # What submit.yml.erb sees.
    def to_openstruct(**more)
      values = to_h
      taken = OpenStruct.new.methods & values.keys
      raise ArgumentError, "#{taken} can't be names of fields" unless taken.empty?

      OpenStruct.new(values.merge(more))
    end

    # Template files call `context.llm_model`.
    def method_missing(name, *arguments)
      attribute = self[name]
      attribute && arguments.empty? ? attribute.value : super
    end

    def respond_to_missing?(name, private = false)
      !self[name].nil? || super
    end
  end
end
