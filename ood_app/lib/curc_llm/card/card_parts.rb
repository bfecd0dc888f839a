# frozen_string_literal: true

module CurcLlm
  # Pieces that the three parts of a card have in common. Looks come from the portal's own Bootstrap classes alone, since
  # a portal with a content security policy takes no styles from an app.
  class CardParts
    include CardHtml

    # @param id [String] the portal's id of the session: the beginning of every id in the page
    # @param settings [CardSettings]
    def initialize(id, settings)
      @id = "llm-#{id.to_s.gsub(/[^A-Za-z0-9-]/, '-')}"
      @settings = settings
    end

    def id(name)
      "#{@id}-#{name}"
    end

    # A box that stands out. @param tone [String] Bootstrap's: info, warning, danger, success
    def alert(tone, *children)
      tag(:div, { class: "alert alert-#{tone} py-2 mb-2", role: tone == 'danger' ? 'alert' : 'status' }, *children)
    end

    # Names and values side by side. @param pairs [Array<Array(String, String)>] empty values are left out
    def figures(pairs)
      shown = pairs.reject { |_, value| value.to_s.empty? }
      return CardHtml::EMPTY if shown.empty?

      tag(:div, { class: 'd-flex flex-wrap mb-2' }, shown.map do |name, value|
        tag(:div, { class: 'me-4 mb-1' }, tag(:div, { class: 'small text-muted' }, name), tag(:div, {}, value))
      end)
    end

    # A field that can be selected, and a button that copies it where scripts run.
    # @param called [String] what is copied, where the label says something else of it
    def field(name, label, value, called: label)
      tag(:div, { class: 'mb-2' },
          tag(:label, { for: id(name), class: 'form-label small text-muted mb-0' }, label),
          tag(:div, { class: 'input-group input-group-sm' },
              tag(:input, { type: 'text', id: id(name), class: 'form-control font-monospace', value: value, readonly: true,
                            spellcheck: 'false', autocomplete: 'off' }),
              copy_button(name, called)))
    end

    def copy_button(name, label, classes = 'btn btn-sm btn-outline-secondary')
      tag(:button, { type: 'button', id: id("copy-#{name}"), class: classes, hidden: true, 'data-llm-copy': id(name),
                     'aria-label': "Copy: #{label}" }, 'Copy')
    end

    # What can be opened; a script, where one runs, keeps it open over the redraws of the page.
    def details(name, title, *children, group: nil)
      tag(:details, { id: id(name), class: 'mb-1', name: group && id(group), 'data-llm-keep': true },
          tag(:summary, { id: id("#{name}-title"), class: 'py-1' }, title), *children)
    end

    # A text to be copied as it stands.
    def code(name, label, text)
      tag(:div, { class: 'border rounded bg-light p-2 mb-2' },
          tag(:div, { class: 'float-end' }, copy_button(name, label)),
          tag(:pre, { id: id(name), class: 'mb-0 text-dark small', tabindex: '0' }, text))
    end

    def data_notice
      lines = @settings.lines(:data_notice)
      return CardHtml::EMPTY if lines.empty?

      tag(:p, { class: 'small text-muted mb-2' }, tag(:strong, {}, 'Your data. '), lines.join(' '))
    end

    # @param path [String] on the portal's machine; empty gives nothing
    def file_link(path, words)
      return CardHtml::EMPTY if path.to_s.empty?

      base = ENV.fetch('RAILS_RELATIVE_URL_ROOT', '/pun/sys/dashboard')
      base = '/pun/sys/dashboard' unless base.match?(%r{\A(/[\w.-]+)+\z})
      escaped = path.split('/').map { |part| CGI.escape(part).gsub('+', '%20') }.join('/')
      tag(:a, { href: "#{base}/files/fs#{escaped}", target: '_blank', rel: 'noopener' }, words)
    end

    # The script that copies and remembers, and what makes a row of tabs of the examples; a portal whose policy forbids
    # scripts and styles of an app loses nothing else.
    def extras
      CardHtml::Html.new("<style>#{read('card.css')}</style><script>#{read('card.js')}</script>")
    end

    private

    def read(name)
      File.read(File.join(File.dirname(__FILE__), name))
    rescue SystemCallError
      ''
    end
  end
end
