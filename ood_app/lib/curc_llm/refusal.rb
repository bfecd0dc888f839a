# frozen_string_literal: true

module CurcLlm
  # A launch that can't be. The portal shows the message above the form: what is wrong with which value, then what
  # to do.
  class Refusal < StandardError
    attr_reader :reason, :remedy

    def self.name
      'CurcLlm::Refusal' # rather than that of the module around it, which has none
    end

    # @param reason [String] one sentence: what, the value, what is allowed
    # @param remedy [String] what to do next
    def initialize(reason, remedy = '')
      @reason, @remedy = reason, remedy
      super([reason, remedy].reject(&:empty?).map { |text| Wording.wrap(text) }.join("\n"))
    end
  end
end
