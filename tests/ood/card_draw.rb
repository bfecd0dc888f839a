# frozen_string_literal: true

# Draws parts of a card as the portal does: `ruby card_draw.rb APP_ROOT STAGED_ROOT VERSION < JSON`. The JSON says what
# the portal and Slurm know: {"status", "native", "wallclock_limit", "job_id"}. Prints JSON: each part's HTML after Markdown.
require 'json'
require 'pathname'
require_relative 'lib/markdown'
require_relative 'lib/portal_version'
require_relative 'lib/session'

app_root, staged_root, version = ARGV
known = JSON.parse($stdin.read)
version = Portal::Version.new(version)

# What squeue said, as ood_core hands it on.
class CannedAdapter
  Known = Struct.new(:id, :status, :native, :wallclock_time, :wallclock_limit, keyword_init: true)

  def initialize(known)
    @known = known
  end

  def info(id)
    native = @known['native']&.transform_keys(&:to_sym)
    Known.new(id: id, status: @known.fetch('status').to_sym, native: native, wallclock_time: 0,
              wallclock_limit: @known['wallclock_limit'])
  end
end

# A session whose staged folder is given.
class CannedSession < Portal::Session
  attr_writer :staged

  def staged_root
    @staged
  end
end

app = Struct.new(:root, :token, :title).new(Pathname(app_root), 'sys/curc-llm', 'LLM')
session = CannedSession.new(app: app, dataroot: '/nonexistent', adapter: CannedAdapter.new(known),
                            id: File.basename(staged_root), job_id: known['job_id'])
session.staged = Pathname(staged_root)
parts = { 'info' => session.info_view }
parts['completed'] = session.completed_view if session.completed?
parts['view'] = session.view(version) if session.running?
puts JSON.generate(parts.transform_values { |text| Portal::Markdown.render(text.to_s) }.merge('raw' => parts))
