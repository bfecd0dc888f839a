# frozen_string_literal: true

module CurcLlm
  # The part of a card that is there while the session runs: the way in.
  class CardConnect
    include CardHtml

    # @param connect [Object] answers host and port, as connection.yml has them
    # @param files [CardFiles]
    # @param parts [CardParts]
    # @param settings [CardSettings]
    def initialize(connect, files, parts, settings)
      @host, @port = connect.host.to_s, connect.port.to_s
      @files, @parts, @settings = files, parts, settings
      @engines = CardEngines.new(files, parts)
    end

    # @return [CardHtml::Html]
    def to_html
      return CardHtml::EMPTY if over? || ending?

      join([open_chat, @engines.ready? ? endpoint : later, @parts.extras])
    end

    private

    def over?
      %w[ended failed gone].include?(@files.record['status'])
    end

    # Nobody is let in any more, and requests are turned away.
    def ending?
      @files.record['status'] == 'draining'
    end

    def open_chat
      door = CardDoor.new(@files.login_secret, @host, @port, @parts, @settings)
      door.open? ? door.to_html('open', 'Open chat', note) : not_yet
    end

    def not_yet
      tag(:p, { class: 'mb-2' }, 'The way in is being prepared; this card shows it in a few seconds.')
    end

    def note
      @engines.ready? ? 'Opens in a new tab.' : 'Opens in a new tab and waits there until the model is ready.'
    end

    def later
      tag(:p, { class: 'small text-muted mb-2' }, 'Endpoint, key and examples appear here once the model is ready.')
    end

    def endpoint
      tag(:div, {},
          tag(:h5, { class: 'h6' }, 'Use it from your own programs'),
          @parts.field('endpoint', 'Endpoint (OpenAI-compatible; plain http inside the cluster)', base_url),
          @parts.field('model', 'Model', @engines.model),
          key, snippets)
    end

    def base_url
      @files.record['base_url'].to_s
    end

    def key
      secret = @files.api_key
      return CardHtml::EMPTY if secret.empty?

      @parts.details('key-box', 'API key', @parts.field('key', 'Whoever has it can use this session: keep it to yourself', secret, called: 'API key'))
    end

    def snippets
      tag(:div, { class: 'llm-tabs', role: 'group', 'aria-label': 'Examples' },
          examples.map do |name, title, purpose, text|
            @parts.details("tab-#{name}", title, tag(:div, { class: 'small text-muted' }, purpose),
                           @parts.code("code-#{name}", title, text), group: 'tabs')
          end)
    end

    def examples
      CardSnippets.new(
        session_id: @files.record['session_id'].to_s, base_url: base_url, model: @engines.model,
        key_file: File.join(@files.session_dir, 'api.key'), host: @host, port: @port.to_i,
        owner: @files.record['owner'].to_s, login_host: Array(@files.site['login_hosts']).first.to_s,
        context_tokens: @engines.context_tokens
      ).all
    end
  end
end
