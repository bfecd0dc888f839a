# frozen_string_literal: true

require 'open3'
require 'time'

module Portal
  # Slurm as the portal talks to it: by argument lists, never through a shell; squeue alone tells the state, and a job
  # that squeue doesn't know has ended, however it did.
  class SlurmAdapter
    # What squeue is asked for, and under which name `native` holds it; fields are separated by a character that none
    # holds. ood_core asks for more; these are the ones that a card can use.
    FIELDS = { job_id: 'JobID', state_compact: 'StateCompact', state: 'State', time_used: 'TimeUsed',
               time_limit: 'TimeLimit', start_time: 'StartTime', node_list: 'NodeList', cpus: 'NumCPUs',
               nodes: 'NumNodes', reason: 'Reason', qos: 'QOS', partition: 'Partition', comment: 'Comment',
               account: 'Account', gres: 'tres-per-node' }.freeze
    UNIT = "\x1F"
    STATES = {
      'PD' => :queued, 'CF' => :queued, 'RQ' => :queued, 'R' => :running, 'CG' => :running, 'ST' => :running,
      'S' => :suspended, 'PR' => :suspended, 'BF' => :completed, 'CA' => :completed, 'CD' => :completed,
      'F' => :completed, 'NF' => :completed, 'RV' => :completed, 'SE' => :completed, 'TO' => :completed,
      'OOM' => :completed
    }.freeze

    # Slurm said no, or nothing at all.
    class Error < StandardError; end

    # A job as the card needs it, by ood_core's names; times in seconds. `native` holds squeue's own words, nil for a
    # job that squeue doesn't know.
    Info = Struct.new(:id, :status, :wallclock_time, :wallclock_limit, :dispatch_time, :node_list, :procs, :gpus, :native,
                      keyword_init: true)

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
      format = FIELDS.values.map { |field| "#{field}:#{UNIT}" }.join(',')
      rows = call('squeue', '--all', '--states=all', '--noheader', '-j', id.to_s, '-O', format).lines
      rows.empty? ? ended(id) : parse(id, FIELDS.keys.zip(rows.first.split(UNIT).map(&:strip)).to_h)
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
      Info.new(id: id.to_s, status: :completed, node_list: '', procs: 0, gpus: 0)
    end

    def parse(id, row)
      Info.new(id: id.to_s, status: STATES.fetch(row[:state_compact], :undetermined),
               wallclock_time: seconds(row[:time_used]), wallclock_limit: seconds(row[:time_limit]),
               dispatch_time: time(row[:start_time]), node_list: row[:node_list].to_s, procs: row[:cpus].to_i,
               gpus: gpus(row[:gres]), native: row)
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
