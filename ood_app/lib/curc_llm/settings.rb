# frozen_string_literal: true

require 'yaml'

module CurcLlm
  # What the centre's staff decide about the app: ood_app/portal.yml, over it ood_app/portal.local.yml, which
  # `make install` writes. Each key is explained in portal.yml.
  class Settings
    HOSTS = %w[portal short fqdn].freeze
    RUNTIMES = %w[venv module apptainer].freeze
    # Key → what its value must be.
    KINDS = {
      cluster: [String, Array], site: [String], site_file: [String], environment: [Array],
      launch_table: [String], default_model: [String], max_nodes: [Integer],
      runtime: [Hash], host: [String], node_uri: [String], docs_url: [String], data_notice: [String]
    }.freeze
    RUNTIME_KEYS = %i[kind python modules image binds].freeze

    attr_reader(*KINDS.keys, :root)

    # @param root [#to_s] the app's folder, where manifest.yml is
    # @raise [SetupError] a file is missing, a key isn't known, a value can't be meant
    def self.load(root)
      folder = File.join(root.to_s, 'ood_app')
      own = File.join(folder, 'portal.local.yml')
      files = [File.join(folder, 'portal.yml'), *(own if File.file?(own))]
      new(root, files.map { |file| read(file) }.reduce { |shipped, local| merge(shipped, local) })
    end

    def self.read(file)
      values = YAML.safe_load(File.read(file, encoding: 'UTF-8')) || {}
      raise SetupError, "#{file} isn't a list of keys and values." unless values.is_a?(Hash)

      values.transform_keys(&:to_sym).each { |key, value| check(file, key, value) }
    rescue SystemCallError, Psych::Exception => e
      raise SetupError, "#{file} can't be read: #{e.message}. Mend it, or run `make install` again."
    end

    def self.check(file, key, value)
      kinds = KINDS[key]
      raise SetupError, "#{file}: #{key} isn't a setting; there are #{KINDS.keys.join(', ')}." if kinds.nil?
      return if kinds.any? { |kind| value.is_a?(kind) }

      raise SetupError, "#{file}: #{key} is #{Wording.quote(value)}; it must be #{kinds.join(' or ')}."
    end

    def self.merge(shipped, local)
      shipped.merge(local) { |key, old, new| key == :runtime ? old.merge(new) : new }
    end
    private_class_method :read, :check, :merge

    def initialize(root, values)
      @root = root.to_s
      KINDS.each_key { |key| instance_variable_set(:"@#{key}", values.fetch(key)) }
      @runtime = runtime.transform_keys(&:to_sym)
      one_of('host', host, HOSTS)
      one_of('runtime.kind', runtime[:kind], RUNTIMES)
      wrong = runtime.keys - RUNTIME_KEYS
      raise SetupError, "portal.yml: runtime.#{wrong.first} isn't a setting." unless wrong.empty?
    rescue KeyError => e
      raise SetupError, "ood_app/portal.yml lacks #{e.key}."
    end

    # @return [LaunchTable]
    def table
      table = LaunchTable.load(File.expand_path(launch_table, File.join(root, 'ood_app')), max_nodes: max_nodes)
      return table if table.site_name == site

      raise SetupError, "#{launch_table} is of the site #{table.site_name}, but portal.yml says #{site}. " \
                        "Write one: curc-llm table --site #{site} --output FILE"
    end

    # Bash for the portal's script that sets `host`; empty leaves it to the portal's own cluster file.
    def set_host
      { 'short' => 'host=$(hostname -s)', 'fqdn' => 'host=$(hostname -f)' }.fetch(host, '')
    end

    private

    def one_of(key, value, allowed)
      return if allowed.include?(value)

      raise SetupError, "portal.yml: #{key} is #{Wording.quote(value)}; it must be #{Wording.list(allowed)}."
    end
  end
end
