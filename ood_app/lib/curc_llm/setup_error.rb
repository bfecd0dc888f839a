# frozen_string_literal: true

module CurcLlm
  # The app isn't set up rightly; for the people who run the portal.
  class SetupError < StandardError
    def self.name
      'CurcLlm::SetupError'
    end
  end
end
