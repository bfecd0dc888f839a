# frozen_string_literal: true

# Renders submit.yml.erb for many forms in one process: JSON lines in ({version, values, raw, omit, root}), JSON lines out.
require 'json'
require_relative 'lib/app'
require_relative 'lib/submission'

APPS = Hash.new do |kept, (root, version)|
  kept[[root, version]] = Portal::App.new(root, clusters: %w[alpine capella], accounts: %w[ucb-general], version: version)
end

def submit(wish)
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
