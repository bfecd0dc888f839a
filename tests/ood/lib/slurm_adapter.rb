# frozen_string_literal: true

require 'open3'
require 'time'

module Portal
  # Slurm as the portal talks to it: by argument lists, never through a shell; squeue alone tells the state, and a job
  # that squeue doesn't know has ended, however it did.
  class SlurmAdapter
    # What squeue is asked for, separated by characters that no field holds.
    FIELDS = %w[JobID StateCompact TimeUsed TimeLimit StartTime NodeList NumCPUs NumNodes tres-per-node].freeze
    UNIT = "\x1F"
    STATES = {
      'PD' => :queued, 'CF' => :queued, 'RQ' => :queued, 'R' => :running, 'CG' => :running, 'ST' => :running,
      'S' => :suspended, 'PR' => :suspended, 'BF' => :completed, 'CA' => :completed, 'CD' => :completed,
      'F' => :completed, 'NF' => :completed, 'RV' => :completed, 'SE' => :completed, 'TO' => :completed,
      'OOM' => :completed
    }.freeze

    # Slurm said no, or nothing at all.
    class Error < StandardError; end

    # A job as the card needs it; times in seconds.
    Info = Struct.new(:id, :status, :used_s, :limit_s, :starts_at, :nodes, :cores, :gpus, keyword_init: true)

    # @param bin [String] the folder of Slurm's programs; empty: found on the path
    # @param environment [Hash] set for each command, for example SLURM_CONF
    def initialize(bin: '', environment: {})
      @bin = bin
      @environment = environment
    end

    # @param submission [Submission]
    # @return [String] the job's number
    def submit(submission)
      said = call('sbatch', *submission.arguments, '--parsable', env: submission.environment, stdin: submission.stdin)
      said.strip.split(';').first
    end

    # @return [Info]
    def info(id)
      format = FIELDS.map { |field| "#{field}:#{UNIT}" }.join(',')
      rows = call('squeue', '--all', '--states=all', '--noheader', '-j', id.to_s, '-O', format).lines
      rows.empty? ? ended(id) : parse(id, rows.first.split(UNIT).map(&:strip))
    rescue Error => e
      e.message.include?('Invalid job id specified') ? ended(id) : raise
    end

    def delete(id)
      call('scancel', id.to_s)
    rescue Error => e
      raise unless e.message.include?('Invalid job id specified')
    end

    private

    def call(program, *arguments, env: {}, stdin: '')
      path = @bin.empty? ? program : File.join(@bin, program)
      out, err, status = Open3.capture3(@environment.merge(env), path, *arguments, stdin_data: stdin)
      raise Error, err unless status.success?

      out
    end

    def ended(id)
      Info.new(id: id.to_s, status: :completed, nodes: '', cores: 0, gpus: 0)
    end

    def parse(id, row)
      state, used, limit, start, nodes, cores, _, tres = row.drop(1)
      Info.new(id: id.to_s, status: STATES.fetch(state, :undetermined), used_s: seconds(used), limit_s: seconds(limit),
               starts_at: time(start), nodes: nodes.to_s, cores: cores.to_i, gpus: gpus(tres))
    end

    # "1-02:03:04", "03:04", "UNLIMITED"
    def seconds(text)
      match = /\A(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)\z/.match(text.to_s)
      return nil unless match

      days, hours, minutes, rest = match.captures.map(&:to_i)
      (days * 86_400) + (hours * 3600) + (minutes * 60) + rest
    end

    def time(text)
      Time.parse(text)
    rescue ArgumentError, TypeError
      nil
    end

    def gpus(tres)
      tres.to_s.start_with?('gres') ? tres[/(\d+)\z/].to_i : 0
    end
  end
end
