# frozen_string_literal: true

require 'json'
require 'rack'
require 'securerandom'
require_relative 'settings'
require_relative 'page'
require_relative 'launcher'
require_relative 'files'

# The pages of a user's portal, under the paths that the real one has.
class Dashboard
  BASE = '/pun/sys/dashboard'
  CONTENT = "#{BASE}/batch_connect"
  ASSETS = { 'bootstrap.css' => '/usr/share/javascript/bootstrap5/css/bootstrap.min.css',
             'bootstrap.js' => '/usr/share/javascript/bootstrap5/js/bootstrap.bundle.min.js',
             'jquery.js' => '/usr/share/javascript/jquery/jquery.min.js',
             'portal.js' => File.join(__dir__, 'assets/portal.js'),
             'portal.css' => File.join(__dir__, 'assets/portal.css') }.freeze
  TYPES = { '.css' => 'text/css', '.js' => 'text/javascript', '.svg' => 'image/svg+xml', '.png' => 'image/png' }.freeze

  def initialize(settings)
    @settings = settings
  end

  # @param env [Hash] a Rack request
  # @return [Array] a Rack answer
  def call(env)
    request = Rack::Request.new(env)
    launcher = Launcher.new(@settings)
    answer = route(request, launcher, Page.new(@settings, launcher))
    answer.is_a?(Array) ? answer : [200, page_headers(answer), [answer.to_s]]
  rescue Errno::ENOENT, Errno::EACCES => e
    [404, { 'Content-Type' => 'text/plain' }, ["#{e.message}\n"]]
  end

  private

  def route(request, launcher, page)
    path = request.path_info.delete_prefix(BASE)
    new_form = "/batch_connect/#{@settings.token}/session_contexts"
    case "#{request.request_method} #{path}"
    when %r{\AGET /?\z} then page.show('home')
    when "GET #{new_form}/new" then form(request, launcher, page)
    when "POST #{new_form}" then launch(request, launcher, page)
    when 'GET /batch_connect/sessions' then sessions(request, launcher, page)
    when %r{\APOST /batch_connect/sessions/[\h-]{36}(/cancel)?\z} then finish(request, launcher, path)
    when %r{\AGET /assets/} then asset(File.basename(path))
    when 'GET /apps/icon' then icon
    when %r{\AGET /files/fs/} then Files.answer(path.delete_prefix('/files/fs'), BASE)
    else raise Errno::ENOENT, path
    end
  end

  def form(request, launcher, page)
    launcher.refill(request.params['session_id'])
    page.show('form', errors: {})
  end

  def launch(request, launcher, page)
    errors = launcher.launch(request.params.fetch('batch_connect_session_context', {}))
    return page.show('form', errors: errors) unless errors.empty?

    redirect("#{CONTENT}/sessions", 'Session was successfully created.')
  end

  def sessions(request, launcher, page)
    said = Rack::Utils.unescape(request.cookies['portal_notice'].to_s)
    return page.show('sessions', notice: said, forget: true) unless request.get_header('HTTP_ACCEPT').to_s.include?('turbo-stream')

    [200, { 'Content-Type' => 'text/vnd.turbo-stream.html; charset=utf-8' }, [page.cards(launcher.sessions)]]
  end

  def finish(request, launcher, path)
    id = path[/[\h-]{36}/]
    said = path.end_with?('/cancel') ? launcher.cancel(id) : launcher.delete(id, request.params['_method'])
    redirect("#{CONTENT}/sessions", said)
  end

  def asset(name)
    file = ASSETS.fetch(name) { raise Errno::ENOENT, name }
    type = TYPES.fetch(File.extname(name))
    [200, { 'Content-Type' => type, 'Cache-Control' => 'max-age=60' }, [File.binread(file)]]
  end

  def icon
    file = @settings.app_root.join('icon.svg')
    [200, { 'Content-Type' => 'image/svg+xml' }, [file.read]]
  end

  def redirect(path, notice)
    cookie = "portal_notice=#{Rack::Utils.escape(notice)}; Path=#{BASE}"
    [302, { 'Location' => path, 'Set-Cookie' => cookie }, []]
  end

  def page_headers(page)
    headers = { 'Content-Type' => 'text/html; charset=utf-8', 'Cache-Control' => 'private, no-store' }
    headers['Set-Cookie'] = "portal_notice=; Path=#{BASE}; Max-Age=0" if page.forget
    headers['Content-Security-Policy'] = page.policy if @settings.csp
    headers
  end
end
