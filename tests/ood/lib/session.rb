# frozen_string_literal: true

require 'erb'
require 'json'
require 'ostruct'
require 'pathname'
require 'securerandom'
require 'yaml'
require_relative 'job_script'
require_relative 'slurm_adapter'
require_relative 'staging'
require_relative 'submission'

module Portal
  # A session as the portal keeps it, and what info, completed, view and template files of an app see as `session`.
  class Session
    # What `status` answers: `session.status.running?`, `to_sym`, `to_s`.
    Status = Struct.new(:state) do
      %i[undetermined completed queued_held queued running suspended].each do |name|
        define_method(:"#{name}?") { state == name }
      end

      def to_sym
        state
      end

      def to_s
        state.to_s
      end
    end

    # What the record on disk holds.
    RECORD = %i[id cluster_id job_id created_at token title script_type cache_completed completed_at].freeze
    attr_accessor(*RECORD)
    attr_reader :app

    # @param app [#root, #token, #title]
    # @param dataroot [Pathname, String] the portal's folder of this user, usually ~/ondemand/data/sys/dashboard
    # @param adapter [SlurmAdapter]
    def initialize(app:, dataroot:, adapter:, **record)
      @app, @dataroot, @adapter = app, Pathname(dataroot), adapter
      self.id = SecureRandom.uuid
      self.token, self.title, self.created_at = app.token, app.title, Time.now.to_i
      record.each { |name, value| public_send(:"#{name}=", value) if RECORD.include?(name.to_sym) }
    end

    def staged_root
      @dataroot.join('batch_connect', token, 'output', id)
    end

    # Stages and submits.
    # @param context [Object] what template files see
    # @param values [Hash] the form's values
    # @param submit [Hash] what submit.yml.erb (merged with the smart attributes) says; symbol keys
    # @return [String] the job's number
    def launch(context:, values:, submit:)
      self.cluster_id = (submit[:cluster] || values[:cluster] || values['cluster']).to_s
      Staging.stage(app.root, staged_root, session: self, context: context, values: values)
      self.job_id = @adapter.submit(write_script(submit))
      save
      job_id
    end

    def info
      @info ||= cache_completed ? SlurmAdapter::Info.new(id: job_id, status: :completed) : @adapter.info(job_id)
    rescue SlurmAdapter::Error
      @info = SlurmAdapter::Info.new(id: job_id, status: :undetermined)
    end

    def status
      Status.new(info.status)
    end

    def queued? = status.queued?

    def starting? = status.running? && !connect_file.file?

    def running? = status.running? && connect_file.file?

    def completed? = status.completed?

    # Raises while there is no connection file, as in the portal.
    def connect
      OpenStruct.new(YAML.safe_load(connect_file.read))
    end

    def user_context
      JSON.parse(staged_root.join('user_defined_context.json').read)
    rescue StandardError
      {}
    end

    def connect_file
      staged_root.join('connection.yml')
    end

    # @return [String, nil] HTML of info.html.erb or info.md.erb before Markdown, self being the session
    def info_view
      bound('info')
    end

    def completed_view
      bound('completed')
    end

    # @param version [Version]
    # @return [String, nil] view.html.erb before Markdown; self is the connection
    def view(version)
      file = app.root.join('view.html.erb')
      ERB.new(file.read, trim_mode: '-').result(view_names(file.read, version)) if file.file?
    end

    def save
      db = self.class.db(@dataroot)
      db.mkpath
      db.join(id).write(JSON.generate(RECORD.to_h { |name| [name, public_send(name)] }), perm: 0o600)
    end

    # Remembers that the job has ended, so that Slurm isn't asked again.
    def remember_end
      return if cache_completed || !completed?

      self.cache_completed, self.completed_at = true, Time.now.to_i
      save
    end

    def cancel
      @adapter.delete(job_id) unless completed?
    end

    # Cancels and forgets; the staged folder stays.
    def destroy
      cancel
      self.class.db(@dataroot).join(id).delete
    end

    def self.db(dataroot)
      Pathname(dataroot).join('batch_connect', 'db')
    end

    # @return [Array<Session>] the newest first, ended ones last
    def self.all(app:, dataroot:, adapter:)
      files = db(dataroot).directory? ? db(dataroot).children.select(&:file?) : []
      found = files.map do |file|
        new(app: app, dataroot: dataroot, adapter: adapter, **JSON.parse(file.read, symbolize_names: true))
      end
      found.each(&:remember_end).sort_by { |session| [session.completed? ? 0 : 1, session.created_at] }.reverse
    end

    private

    # Tells every error of the app's ERB as the portal does: in the text itself is what a person sees.
    def bound(name)
      file = %w[md html].map { |kind| app.root.join("#{name}.#{kind}.erb") }.find(&:file?)
      ERB.new(file.read, trim_mode: '-').result(binding) if file
    end

    def view_names(view, version)
      connect, session = self.connect, self
      return newer(connect, view, session) if version.view_sees_session?

      older(connect, view)
    end

    def newer(connect, view, session)
      connect.instance_eval { binding }.tap { |names| [view, session, names] }
    end

    def older(connect, view)
      connect.instance_eval { binding }.tap { |names| [view, names] }
    end

    def write_script(submit)
      batch_connect = submit.fetch(:batch_connect, nil) || {}
      content = JobScript.render(work_dir: staged_root, batch_connect: batch_connect.reject { |key, _| key == :template })
      job = Submission.new(content, submit.fetch(:script, nil) || {}, workdir: staged_root, job_name: job_name)
      staged_root.join('job_script_content.sh').write(content)
      staged_root.join('job_script_options.json').write(JSON.pretty_generate(job.options))
      self.script_type = 'basic'
      job
    end

    def job_name
      "sys/dashboard/#{token}"
    end
  end
end
