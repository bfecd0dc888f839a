# frozen_string_literal: true

require 'json'
require 'zlib'

module CurcLlm
  # The part of the launch table that form.js looks things up in, small enough to stand in the page: without what
  # only Slurm needs, deflated, base64.
  class PanelTable
    COLUMNS = %w[quantisation tensor_parallel_size pipeline_parallel_size data_parallel_size max_model_len chats
                 weights_gib kv_cache_gib work_gib su_per_h load_time_s decode_tokens_per_s].freeze
    MODEL_KEYS = %w[title hub_id gated licence max_context_tokens at_site uses].freeze
    GPU_KEYS = %w[title memory_gib qos on_request].freeze

    # Portals before 4.2 render the form for each page that lists apps, so this is worked out once per process.
    # @param table [LaunchTable]
    def self.encode(table)
      @kept = [table, new(table).encode] unless @kept&.first.equal?(table)
      @kept.last
    end

    # @param table [LaunchTable]
    def initialize(table)
      @table = table
    end

    # @return [String] base64 of the deflated JSON; no character in it means anything to HTML or YAML
    def encode
      [Zlib::Deflate.deflate(JSON.generate(to_h), Zlib::BEST_COMPRESSION)].pack('m0')
    end

    def to_h
      {
        columns: COLUMNS, chat_tokens: @table.chat_tokens, site: @table.site, models: models,
        gpus: @table.gpus.transform_values { |gpu| gpu.slice(*GPU_KEYS) },
        places: @table.places.to_h { |place| [place.slug, [place.gpu_name, place.count, place.title]] },
        presets: @table.presets.transform_values { |preset| preset['goal'] },
        plans: @table.offered.keys.to_h { |name| [name, plans(name)] },
        own: @table.places.to_h { |place| [place.slug, @table.generous_row(place)&.su_per_h] }
      }
    end

    private

    def models
      @table.offered.to_h do |name, model|
        [name, model.slice(*MODEL_KEYS).merge('best' => Nearest.new(@table, name).best&.slug)]
      end
    end

    # slug → preset → row: the columns above, or [reason, slugs of places that work].
    def plans(name)
      nearest = Nearest.new(@table, name)
      @table.places.to_h do |place|
        rows = @table.rows(name, place)
        [place.slug, rows.transform_values { |row| row.fits? ? row.values_of(COLUMNS) : refused(row, nearest) }]
      end
    end

    def refused(row, nearest)
      [row.reason, nearest.places(row).map(&:slug)]
    end
  end
end
