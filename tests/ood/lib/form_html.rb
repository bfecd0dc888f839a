# frozen_string_literal: true

require 'erb'
require_relative 'markdown'

module Portal
  # A form as HTML, with the ids, classes and wrappers that the portal gives it (bootstrap_form 4 and 5).
  class FormHtml
    PREFIX = 'batch_connect_session_context'
    TYPES = { 'number_field' => 'number', 'text_field' => 'text', 'hidden_field' => 'hidden',
              'email_field' => 'email', 'url_field' => 'url', 'password_field' => 'password' }.freeze

    def initialize(app, context, action: '', launch: 'Launch')
      @app, @context, @action, @launch = app, context, action, launch
    end

    # @return [String] header, form and the app's form.js
    def render
      fields = @context.reject(&:fixed?).map { |attribute| field(attribute) }.join("\n")
      <<~HTML
        #{Markdown.render(@app.form_header)}
        <form class="new_#{PREFIX}" id="new_#{PREFIX}" action="#{h(@action)}" accept-charset="UTF-8" method="post" autocomplete="off">
        #{fields}
        <div class="d-grid gap-2"><input type="submit" name="commit" value="#{h(@launch)}" class="btn btn-primary" data-disable-with="#{h(@launch)}"></div>
        </form>
        <script>
        #{@app.form_script}
        </script>
      HTML
    end

    private

    def field(attribute)
      inner = attribute.widget == 'hidden_field' ? input(attribute) : group(attribute)
      return inner unless @app.version.at_least?('4.1')

      data = %(data-widget-type="#{h(attribute.widget)}" data-hide-by-default="false")
      header = attribute.header.empty? ? '' : Markdown.render(attribute.header)
      %(#{header}<div id="#{PREFIX}_#{h(attribute.id)}_wrapper" #{data}>#{inner}</div>)
    end

    def group(attribute)
      help = attribute.help.empty? ? '' : "<small class=\"form-text text-muted\">#{Markdown.render(attribute.help)}</small>"
      body = attribute.widget == 'check_box' ? check_box(attribute) : label(attribute) + element(attribute)
      outer = @app.version.at_least?('4.0') ? 'mb-3' : 'form-group'
      %(<div class="#{outer}">#{body}#{help}</div>)
    end

    def label(attribute)
      classes = [('form-label' if @app.version.at_least?('4.0')), ('required' if attribute.required)].compact
      %(<label class="#{classes.join(' ')}" for="#{id(attribute)}">#{h(attribute.label)}</label>)
    end

    def element(attribute)
      attribute.widget == 'select' ? select(attribute) : input(attribute, class: 'form-control')
    end

    def select(attribute)
      options = attribute.choices.map do |text, value, more|
        chosen = value.to_s == attribute.value ? { selected: 'selected' } : {}
        %(<option#{attributes((more || {}).merge(chosen, value: value))}>#{h(text)}</option>)
      end
      own = { class: @app.version.at_least?('4.0') ? 'form-select' : 'form-control' }
      own[:required] = 'required' if attribute.required
      %(<select#{attributes(named(attribute).merge(own, attribute.html))}>#{options.join("\n")}</select>)
    end

    def input(attribute, **own)
      own[:required] = 'required' if attribute.required
      own[:type] = TYPES.fetch(attribute.widget)
      own[:value] = attribute.value
      %(<input#{attributes(named(attribute).merge(own, attribute.html))}>)
    end

    def check_box(attribute)
      on, off = attribute.opts.fetch(:checked_value, '1'), attribute.opts.fetch(:unchecked_value, '0')
      checked = attribute.value == on.to_s ? { checked: 'checked' } : {}
      named = named(attribute)
      own = named.merge(checked, attribute.html, class: 'form-check-input', type: 'checkbox', value: on)
      %(<div class="form-check"><input name="#{named[:name]}" type="hidden" value="#{h(off)}" autocomplete="off">) +
        %(<input#{attributes(own)}><label class="form-check-label" for="#{id(attribute)}">#{h(attribute.label)}</label></div>)
    end

    def named(attribute)
      { name: "#{PREFIX}[#{attribute.id}]", id: id(attribute) }
    end

    def id(attribute)
      "#{PREFIX}_#{h(attribute.id)}"
    end

    # Rails: `data: {a_b: 1}` becomes data-a-b="1"; nil and false leave an attribute out.
    def attributes(hash)
      flat = hash.flat_map do |key, value|
        next [[key, value]] unless %w[data aria].include?(key.to_s) && value.is_a?(Hash)

        value.map { |name, inner| ["#{key}-#{name.to_s.tr('_', '-')}", inner] }
      end
      flat.reject { |_, value| value.nil? || value == false }.map { |key, value| %( #{key}="#{h(value)}") }.join
    end

    def h(text)
      ERB::Util.html_escape(text.to_s)
    end
  end
end
