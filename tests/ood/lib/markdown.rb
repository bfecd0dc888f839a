# frozen_string_literal: true

require 'redcarpet'

module Portal
  # The one renderer that the portal uses for descriptions, help and all three parts of a card.
  module Markdown
    OPTIONS = { autolink: true, tables: true, strikethrough: true, fenced_code_blocks: true, no_intra_emphasis: true }.freeze

    # @param text [String] Markdown with HTML in it; HTML passes through
    # @return [String] HTML, unsanitised as in the portal
    def self.render(text)
      Redcarpet::Markdown.new(Redcarpet::Render::HTML, **OPTIONS).render(text.to_s)
    end
  end
end
