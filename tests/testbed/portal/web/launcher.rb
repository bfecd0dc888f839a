# frozen_string_literal: true

require 'json'
require 'open3'
require_relative '../../../ood/lib/app'
require_relative '../../../ood/lib/form_html'
require_relative '../../../ood/lib/session'

# What the portal does with one app for one user: form, launch, list, delete.
class Launcher
  def initialize(settings)
    @settings = settings
    @adapter = Portal::SlurmAdapter.new
  end

  def app
    @app ||= Portal::App.new(@settings.app_root, token: @settings.token, clusters: [@settings.cluster], accounts: accounts,
                                                 version: @settings.version)
  end

  def app_version
    file = @settings.app_root.join('VERSION')
    file.file? ? file.read.strip : ''
  end

  def context
    @context ||= app.context
  end

  # The form as HTML, or in its place why there is none.
  # @return [Array(String, String)] HTML, trouble
  def form
    action = "#{Dashboard::BASE}/batch_connect/#{@settings.token}/session_contexts"
    [Portal::FormHtml.new(app, context, action: action).render, '']
  rescue Portal::App::Invalid => e
    ['', e.message]
  end

  # Puts in what was entered the last time, or in the session that is edited.
  def refill(session_id)
    edited = sessions.find { |session| session.id == session_id }
    stored = edited ? edited.user_context : remembered
    context.assign(stored.reject { |name, _| name == 'cluster' || context[name]&.opts&.dig(:cacheable) == false })
  rescue Portal::App::Invalid
    nil
  end

  # Checks, stages and submits.
  # @param params [Hash] what the browser sent, name to text
  # @return [Hash{Symbol=>String}] what went wrong and at what; empty when the job is in Slurm
  def launch(params)
    context.assign(params)
    session = Portal::Session.new(app: app, dataroot: @settings.dataroot, adapter: @adapter)
    submit = app.submit(context, staged_root: session.staged_root.to_s)
    session.launch(context: context, values: context.to_json_values, submit: submit)
    remember
    {}
  rescue Portal::SlurmAdapter::Error => e
    { submit: e.message }
  rescue StandardError, ScriptError => e
    { save: e.message }
  end

  def sessions
    @sessions ||= Portal::Session.all(app: app, dataroot: @settings.dataroot, adapter: @adapter)
  end

  def cancel(id)
    find(id).cancel
    'Session was successfully canceled.'
  end

  def delete(id, method)
    raise Errno::ENOENT, id unless method == 'delete'

    find(id).destroy
    'Session was successfully deleted.'
  end

  # What the Relaunch button repeats: every value of the session, in the clear.
  def relaunch_values(session)
    context.map(&:id).to_h { |id| [id, session.user_context[id]] }.compact
  rescue Portal::App::Invalid
    {}
  end

  # Choices that the form wants on the card.
  def shown_choices(session)
    context.select { |attribute| attribute.opts[:display] }.map { |a| [a.label, session.user_context.fetch(a.id, '')] }
  rescue Portal::App::Invalid
    []
  end

  private

  def find(id)
    sessions.find { |session| session.id == id } || raise(Errno::ENOENT, id)
  end

  def cache
    @settings.dataroot.join('batch_connect', 'cache', "#{@settings.token.tr('/', '_')}.json")
  end

  def remembered
    cache.file? ? JSON.parse(cache.read) : {}
  end

  def remember
    cache.dirname.mkpath
    cache.write(JSON.generate(context.to_h))
  end

  def accounts
    said, status = Open3.capture2('sacctmgr', '-nP', 'show', 'associations', "where", "user=#{@settings.user}", 'format=account',
                                  err: File::NULL)
    status.success? ? said.lines.map(&:strip).uniq : []
  end
end
