# frozen_string_literal: true

# Renders submit.yml.erb for many forms in one process: JSON lines in ({version, values, raw, omit, root,
# portal_accounts}), JSON lines out.
require 'json'
require_relative 'lib/app'
require_relative 'lib/submission'

APPS = Hash.new do |kept, (root, version)|
  kept[[root, version]] = Portal::App.new(root, clusters: %w[alpine capella], accounts: %w[ucb-general], version: version)
end

# The portal's own list of the person's accounts, as its app/lib/account_cache.rb gives it; nil: it has none.
def keep_accounts(names)
  Object.send(:remove_const, :AccountCache) if defined?(AccountCache)
  return if names.nil?

  Object.const_set(:AccountCache, Module.new { define_method(:account_names) { names == 'broken' ? raise('no sacctmgr') : names } })
end

def submit(wish)
  keep_accounts(wish['portal_accounts'])
  app = APPS[[wish.fetch('root'), wish.fetch('version')]]
  context = app.context.assign(wish.fetch('values', {}))
  wish.fetch('raw', {}).each { |id, value| context[id].value = value } # past what the portal's own permit drops
  missing = wish.fetch('omit', [])
  context = Portal::Context.new(context.reject { |attribute| missing.include?(attribute.id) })
  hash = app.submit(context, staged_root: '/staged')
  submission = Portal::Submission.new('', hash.fetch(:script), workdir: '/staged', job_name: 'sys/curc-llm')
  { submit: hash, arguments: submission.arguments }
rescue StandardError, ScriptError => e
  { error: e.class.name, message: e.message, remedy: e.respond_to?(:remedy) ? e.remedy : nil }
end

$stdin.each_line { |line| puts JSON.generate(submit(JSON.parse(line))) }
