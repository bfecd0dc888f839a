# frozen_string_literal: true

module Portal
  # What differs between the portal's releases on the side of jobs and cards; read in its sources at tags v3.1.0,
  # v4.0.0, v4.1.0 and v4.2.3.
  class Version
    KNOWN = %w[3.1 4.0 4.1 4.2].freeze

    attr_reader :name

    # @param name [String] one of KNOWN
    def initialize(name = KNOWN.last)
      raise ArgumentError, "The portal's version is one of #{KNOWN.join(', ')}, not #{name}" unless KNOWN.include?(name)

      @name = name
    end

    # view.html.erb sees a local `session` besides the connection's names.
    def view_sees_session?
      at_least?('4.2')
    end

    # The proxy deletes Authorization and the cookies and claims of the login (PR 4784).
    def proxy_strips_authorization?
      at_least?('4.1')
    end

    def at_least?(other)
      (name.split('.').map(&:to_i) <=> other.split('.').map(&:to_i)) >= 0
    end
  end
end
