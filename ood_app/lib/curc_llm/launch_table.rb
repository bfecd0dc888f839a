# frozen_string_literal: true

require 'json'

module CurcLlm
  # What `curc-llm table` worked out for a site: every model on every kind and number of GPUs. Nothing is reckoned
  # here, only looked up.
  class LaunchTable
    VERSION = 1

    @kept = {}

    # @param path [String]
    # @param max_nodes [Integer] launches over more nodes are left out
    # @raise [SetupError] the file is missing or isn't such a table
    def self.load(path, max_nodes: 1)
      stat = File.stat(path)
      key = [path, stat.mtime, stat.size, max_nodes]
      return @kept[:table] if @kept[:key] == key

      table = new(JSON.parse(File.read(path, encoding: 'UTF-8')), max_nodes: max_nodes)
      @kept = { key: key, table: table }
      table
    rescue SystemCallError, JSON::ParserError, KeyError => e
      raise SetupError, "The launch table #{path} can't be read (#{e.class}). Write it: curc-llm table --output #{path}"
    end

    attr_reader :site, :gpus, :models, :presets, :chat_tokens, :max_nodes

    def initialize(data, max_nodes: 1)
      raise SetupError, "The launch table has version #{data['version']}, not #{VERSION}." if data['version'] != VERSION

      @site, @gpus, @models, @presets = data.values_at('site', 'gpus', 'models', 'presets')
      @chat_tokens, @plans, @max_nodes = data.fetch('chat_tokens'), data.fetch('plans'), max_nodes
      @columns = data.fetch('columns')
      @rows = {}
    end

    def site_name
      site['name']
    end

    def unit
      site['unit']
    end

    def qos
      site['qos']
    end

    # Every kind and number of GPUs that a launch may have, in the table's order.
    # @return [Array<Place>]
    def places
      @places ||= gpus.flat_map do |name, gpu|
        most = gpu['gpus_per_node'] * @max_nodes
        gpu['counts'].select { |count| count <= most }.map { |count| Place.new(name, gpu, count) }
      end
    end

    # @param slug [String] as the form sends it
    # @return [Place, nil]
    def place(slug)
      places.find { |place| place.slug == slug }
    end

    # @return [Row, nil] nil when the table has nothing of this model here
    def row(model, place, preset = '')
      found = rows(model, place)
      found[preset] || found['']
    end

    # All that the table has of a model in a place: preset → row; a missing preset has the row of ''.
    # @return [Hash{String=>Row}]
    def rows(model, place)
      @rows[[model, place.key]] ||= (@plans.dig(model, place.key) || {}).transform_values { |row| Row.new(row, @columns) }
    end

    # The launches of a model that fit, without a preset.
    # @return [Hash{Place=>Row}]
    def fitting(model, preset = '')
      places.to_h { |place| [place, row(model, place, preset)] }.select { |_, row| row&.fits? }
    end

    # Models that fit somewhere.
    def offered
      @offered ||= models.select { |name, _| places.any? { |place| row(name, place)&.fits? } }
    end

    # A name of the catalogue for a name or an id of the hub; nil when it isn't in the catalogue.
    def find_model(name)
      return name if models.key?(name)

      models.find { |_, model| model['hub_id'].casecmp?(name) }&.first
    end

    # The longest context, in tokens, that a request of this model can have here: what some plan gives, or the room
    # that the planner found for chats, laid end to end. Rows of "trying things out" count only for itself, since
    # they leave out what makes answers fast.
    def longest_context(model, place, preset = '')
      usable = rows(model, place).select { |name, row| row.fits? && (name != 'development' || name == preset) }
      usable.values.map { |row| [row.max_model_len, [room(row), models[model]['max_context_tokens']].min].max }.max || 0
    end

    # Presets that change a launch; those that only name a size are models, and the form has a field for these.
    def offered_presets
      presets.select { |_, preset| preset['has_plans'] && preset['title'] !~ /\d+B\)/ }
    end

    # What a model that the catalogue doesn't have is given: of the launches that fit here the one with most memory.
    # @return [Row, nil]
    def generous_row(place)
      rows = models.keys.map { |name| row(name, place) }.select { |row| row&.fits? }
      rows.max_by { |row| [row.memory_gib, row.cpus] }
    end

    private

    def room(row)
      (row.chats * [chat_tokens, row.max_model_len].min / row.data_parallel_size).floor
    end
  end
end
