# frozen_string_literal: true

module CurcLlm
  # A launch that can't be. The portal shows the message above the form: what is wrong with which value, then what
  # to do.
  class Refusal < StandardError
    attr_reader :reason, :remedy

    # @param reason [String] one sentence: what, the value, what is allowed
    # @param remedy [String] what to do next
    def initialize(reason, remedy = '')
      @reason, @remedy = reason, remedy
      super([reason, remedy].reject(&:empty?).join(' '))
    end
  end

  # The app isn't set up rightly; for the people who run the portal.
  class SetupError < StandardError; end
end
