# frozen_string_literal: true

require 'erb'
require_relative '../../../ood/lib/markdown'

# One page of the portal: what pages/*.erb see.
class Page
  FOLDER = File.join(__dir__, 'pages')
  attr_reader :settings, :launcher, :forget

  def initialize(settings, launcher)
    @settings, @launcher = settings, launcher
    @nonce = SecureRandom.base64(16)
  end

  # @return [Page] itself, ready to be turned into text
  def show(name, errors: {}, notice: '', forget: false)
    @name, @errors, @notice, @forget = name, errors, notice, forget
    self
  end

  def to_s
    @body = render(@name)
    render('layout')
  end

  # The portal's policy when its csp_enabled is on.
  def policy
    own = "'self' 'nonce-#{@nonce}'"
    "default-src 'self'; font-src 'self' data:; img-src 'self' data:; object-src 'none'; script-src #{own}; " \
      "style-src #{own}; connect-src 'self'"
  end

  # The list of cards as the page's script fetches it.
  def cards(sessions)
    @sessions = sessions
    render('sessions_list')
  end

  def base
    Dashboard::BASE
  end

  def h(text)
    ERB::Util.h(text.to_s)
  end

  def markdown(text)
    Portal::Markdown.render(text)
  end

  def render(name, **locals)
    names = binding
    locals.each { |key, value| names.local_variable_set(key, value) }
    ERB.new(File.read(File.join(FOLDER, "#{name}.html.erb")), trim_mode: '-').result(names)
  end

  # What an app's ERB gives, or the portal's own words for its failure.
  def guarded(what)
    yield
  rescue StandardError, ScriptError => e
    %(<div class="alert alert-danger" role="alert"><p>#{h("Error when rendering #{what} view: #{e.class} - #{e.message}")}</p></div>)
  end

  def state(session)
    return 'Starting' if session.starting?
    return 'Running' if session.running?

    { queued: 'Queued', queued_held: 'Held', suspended: 'Suspended', completed: 'Completed' }.fetch(session.status.to_sym, 'Undetermined')
  end

  def colour(session)
    { 'Starting' => 'primary', 'Running' => 'success', 'Queued' => 'info', 'Completed' => 'default', 'Held' => 'danger',
      'Suspended' => 'danger' }.fetch(state(session), 'warning')
  end

  def badges(session)
    return [] unless session.status.running?

    { 'node' => session.info.node_list.to_s.empty? ? 0 : 1, 'core' => session.info.procs, 'gpu' => session.info.gpus }
      .select { |_, count| count.to_i.positive? }.map { |name, count| "#{count} #{name}#{'s' if count != 1}" }
  end

  def time_line(session)
    limit, used = session.info.wallclock_limit, session.info.wallclock_time
    return ['Time Remaining:', words(limit - used)] if session.status.running? && limit && used

    limit ? ['Time Requested:', words(limit)] : []
  end

  def words(seconds)
    parts = { hour: seconds / 3600, minute: seconds / 60 % 60 }.reject { |_, count| count.zero? }
    said = parts.map { |name, count| "#{count} #{name}#{'s' if count != 1}" }.join(' and ')
    said.empty? ? 'less than a minute' : said
  end

  def clock(time)
    Time.at(time).strftime('%Y-%m-%d %H:%M:%S %Z')
  end
end
