# frozen_string_literal: true

module Portal
  # One field of a form, with the portal's rules: what a browser sends becomes a String, and nothing is checked.
  class Attribute
    # Options that the portal uses itself; all others become HTML attributes.
    RESERVED = %i[widget fixed hide_when_empty options html_options checked_value unchecked_value required label help
                  cacheable].freeze

    attr_reader :id, :opts

    # @param id [#to_s]
    # @param opts [Hash] with symbols for keys
    # @param version [Version]
    def self.build(id, opts, version, accounts: [])
      given = opts.is_a?(Hash) ? opts : { value: opts, fixed: true }
      case id.to_s
      when 'auto_accounts' then AutoAccounts.new(id, given, version, accounts)
      when 'bc_num_hours' then NumHours.new(id, given, version)
      else new(id, given, version)
      end
    end

    def initialize(id, opts, version)
      @id = version.at_least?('4.0') ? id.to_s.downcase : id.to_s
      @opts = opts.dup
    end

    def value
      opts[:value].to_s
    end

    def value=(other)
      opts[:value] = other
    end

    def fixed?
      opts[:fixed] ? true : false
    end

    def widget
      (opts[:widget] || 'text_field').to_s
    end

    def label
      (opts[:label] || id.tr('_', ' ').capitalize).to_s
    end

    def help
      opts[:help].to_s
    end

    def header
      opts[:header].to_s
    end

    def required
      opts[:required] ? true : false
    end

    def choices
      (opts[:options] || []).map { |entry| entry.is_a?(Array) ? entry : [entry.to_s, entry.to_s] }
    end

    # Attributes of the element itself.
    def html
      unreserved = opts.reject { |key, _| RESERVED.include?(key) || key == :value }
      unreserved = {} if widget == 'select'
      unreserved.merge(opts[:html_options] || {})
    end

    # What this field adds to the submit hash by itself.
    def submit
      {}
    end
  end

  # The wall time: a number, never empty, whatever was sent becomes an integer.
  class NumHours < Attribute
    def initialize(id, opts, version)
      super
      @opts = { min: 1, step: 1 }.merge(@opts)
    end

    def value
      (opts[:value] || '1').to_s
    end

    def widget
      'number_field'
    end

    def required
      true
    end

    def submit
      { script: { wall_time: (value.strip.empty? ? 1 : value.to_i) * 3600 } }
    end
  end

  # The person's Slurm accounts, asked of sacctmgr by the portal.
  class AutoAccounts < Attribute
    def initialize(id, opts, version, accounts)
      super(id, opts, version)
      @opts[:options] = accounts
      # Until 3.1 the browser chose: the first.
      @opts[:value] = choose(accounts) if version.at_least?('4.0')
    end

    def widget
      'select'
    end

    def submit
      { script: { accounting_id: value } }
    end

    private

    def choose(accounts)
      names = accounts.map { |account| account.is_a?(Array) ? account.first : account }
      names.include?(opts[:value].to_s) ? opts[:value].to_s : (names - opts[:exclude_options].to_a).first
    end
  end
end
