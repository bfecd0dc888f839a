# frozen_string_literal: true

# Renders form.yml.erb for many portals: JSON lines in ({root, version, accounts, clusters, values, page}), JSON lines
# out: the form as the portal reads it, `values` that it begins with, and with `page` its HTML.
require 'json'
require_relative 'lib/app'
require_relative 'lib/form_html'

def form(wish)
  app = Portal::App.new(wish.fetch('root'), version: wish.fetch('version'),
                                            clusters: wish.fetch('clusters', %w[alpine capella]),
                                            accounts: wish.fetch('accounts', %w[ucb-general ucb123_asc1]))
  context = app.context.assign(wish.fetch('values', {}))
  page = wish['page'] ? { page: Portal::FormHtml.new(app, context).render } : {}
  app.form.merge(starts: context.to_h, description_html: Portal::Markdown.render(app.description), **page)
rescue StandardError, ScriptError => e
  { error: e.class.name, message: e.message }
end

$stdin.each_line { |line| puts JSON.generate(form(JSON.parse(line))) }
