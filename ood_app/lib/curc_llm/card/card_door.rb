# frozen_string_literal: true

module CurcLlm
  # The button that opens a session's chat: a form, since its token goes by POST: no address, no history and no log ever
  # holds it.
  class CardDoor
    include CardHtml

    # @param secret [String] the content of the session's login.key; empty when there is none
    # @param host [String] the node, as the portal's proxy is to call it
    # @param port [String] the gateway's
    # @param parts [CardParts]
    # @param settings [CardSettings]
    def initialize(secret, host, port, parts, settings)
      @secret, @host, @port = secret, host, port
      @parts, @settings = parts, settings
    end

    # Whether the chat can be opened: host and port are what a proxy's path may have, and there is a secret.
    def open?
      !@secret.empty? && @host.match?(/\A[A-Za-z0-9][A-Za-z0-9._-]*\z/) && @port.match?(/\A\d{1,5}\z/)
    end

    # @param name [String] end of the button's id
    # @param words [String] on the button
    # @param note [String] beside it
    def to_html(name, words, note, size = ' btn-lg')
      tag(:form, { action: "#{@settings.node_uri}/#{@host}/#{@port}/login", method: 'post', target: '_blank', class: 'mb-3' },
          tag(:input, { type: 'hidden', name: 'token', value: CardLogin.mint(@secret) }),
          tag(:button, { type: 'submit', id: @parts.id(name), class: "btn btn-primary#{size}" }, words),
          tag(:span, { class: 'small text-muted ms-3' }, note))
    end
  end
end
