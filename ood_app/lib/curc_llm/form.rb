# frozen_string_literal: true

require 'json'

module CurcLlm
  # What form.yml.erb puts into the form's fields: choices and beginnings from the launch table.
  class Form
    CONTEXTS = [4096, 8192, 16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_048_576].freeze # tokens
    # What a model is for → its group in the list, in the list's order.
    GROUPS = {
      'chat' => 'Chat models from Hugging Face', 'embeddings' => 'Embeddings: for search, not for chats',
      'base' => 'Base and other models: for code and scripts, not for chats'
    }.freeze
    OWN = 'Another model (its name or folder below)'

    attr_reader :settings, :table

    # @param root [#to_s] the app's folder
    # @raise [SetupError]
    def initialize(root)
      @settings = Settings.load(root)
      @table = settings.table
    end

    # [label, name] of each model that fits somewhere: chat models first, of these and of each group those that needn't be
    # downloaded, then by name.
    def models
      rows = table.offered.map { |name, model| [model_label(model), name, { 'data-group' => group(model) }] }
      order = table.offered.to_h do |name, model|
        [name, [GROUPS.keys.index(use(model)), model['at_site'] ? 0 : 1, model['title'].downcase]]
      end
      rows.sort_by! { |_, name, _| order[name] }
      rows.map { |label, name, more| [label, name, more.merge('data-hide-llm-own-model' => true)] } + [[OWN, 'own', {}]]
    end

    def model
      wanted = settings.default_model
      table.offered.key?(wanted) ? wanted : models.first[1]
    end

    # [label, slug, longest time] of each kind and number of GPUs.
    def gpus
      table.places.map { |place| [gpu_label(place), place.slug, { 'data-max-bc-num-hours' => longest_h(place) }] }
    end

    def gpu
      (Nearest.new(table, model).best || table.places.first).slug
    end

    def hours
      table.site['default_hours'].to_i
    end

    def most_hours
      table.places.map { |place| longest_h(place) }.max
    end

    def presets
      [['Balanced (for most people)', '']] + table.offered_presets.map { |name, preset| [preset['title'], name] }
    end

    def contexts
      [['Automatic', '']] + CONTEXTS.map { |tokens| ["#{Wording.number(tokens)} tokens", tokens.to_s] }
    end

    # [label, name] of each QoS that some GPUs have.
    def qos
      names = table.qos.keys & table.gpus.values.flat_map { |gpu| gpu['qos'].keys }
      [['Automatic', '']] + names.map { |name| ["#{name} (up to #{Wording.number(table.qos[name]['max_time_h'])} h)", name] }
    end

    # The look of what form.js adds; it puts it into the page, since the portal inlines no style sheets.
    def style
      File.read(File.join(settings.root, 'ood_app', 'form.css'), encoding: 'UTF-8')
    end

    # The launch table for form.js.
    def panel_table
      PanelTable.encode(table)
    end

    # A link to the guide, as Markdown; empty where the portal names none.
    def guide
      settings.docs_url.empty? ? '' : " [Read more](#{settings.docs_url})."
    end

    # Any value as YAML, on one line.
    def yaml(value)
      JSON.generate(value)
    end

    private

    def model_label(model)
      uses = model['uses']
      kind = { 'embeddings' => ' (embeddings, no chat)', 'base' => ' (base model, no chat)' }[uses.first] || ''
      "#{model['title']}#{kind}#{' · ready on this cluster' if model['at_site']}"
    end

    def group(model)
      chat = use(model) == 'chat'
      chat && model['at_site'] ? 'Ready on this cluster (no download)' : GROUPS.fetch(use(model))
    end

    # What a model is first of all for: a key of GROUPS.
    def use(model)
      GROUPS.keys.find { |use| model['uses'].include?(use) } || 'base'
    end

    def gpu_label(place)
      place.gpu['on_request'] ? "#{place.title} (ask the centre first)" : place.title
    end

    def longest_h(place)
      Term.new(table, place).longest_h.to_i
    end
  end
end
