# frozen_string_literal: true

require 'cgi'

module CurcLlm
  # HTML for the portal's cards. Every text is escaped where it is put in, so none can become part of the page; and there
  # is no line break outside a script, so that the portal's Markdown leaves all of it alone.
  module CardHtml
    # HTML that is one already.
    Html = Struct.new(:text) do
      def to_s
        text
      end
    end
    EMPTY = Html.new('')
    VOID = %i[input br hr].freeze

    module_function

    # tag(:p, { class: 'small' }, 'a < b') # => <p class="small">a &lt; b</p>
    # An attribute that is nil or false is left out; one that is true has no value.
    def tag(name, attributes = {}, *children)
      opening = "<#{name}#{attributes.map { |key, value| attribute(key, value) }.join}>"
      Html.new(VOID.include?(name) ? opening : "#{opening}#{join(children)}</#{name}>")
    end

    def join(children)
      Html.new(children.flatten.compact.map { |child| child.is_a?(Html) ? child.text : escape(child) }.join)
    end

    def attribute(key, value)
      return '' if value.nil? || value == false

      value == true ? " #{key}" : %( #{key}="#{escape(value)}")
    end

    # Line breaks become references and control characters vanish: what is shown can hide nothing and break nothing.
    def escape(value)
      text = value.to_s.dup.force_encoding(Encoding::UTF_8).scrub('?').delete("\u0000-\u0008\u000b-\u001f\u007f")
      CGI.escapeHTML(text).gsub("\n", '&#10;')
    end

    # The whole of a card's part: one block that Markdown takes as HTML and doesn't look into.
    def block(attributes, *children)
      "\n#{tag(:div, attributes, *children)}\n\n"
    end
  end
end
