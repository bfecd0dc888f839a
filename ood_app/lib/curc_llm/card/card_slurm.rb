# frozen_string_literal: true

require 'date'
require 'open3'
require 'time'

module CurcLlm
  # What Slurm says of the job. While it is in the queue the portal has asked already; how it ended is asked of sacct
  # once, and kept beside the session, so that a page of old cards asks nothing.
  class CardSlurm
    KEPT = 'slurm_end.json'
    OVER = %w[COMPLETED CANCELLED FAILED TIMEOUT OUT_OF_MEMORY NODE_FAIL PREEMPTED BOOT_FAIL DEADLINE LAUNCH_FAILED].freeze
    ASK_AGAIN_S = 300
    PATIENCE_S = 4

    # @param session [Object] the portal's session
    # @param files [CardFiles]
    def initialize(session, files)
      @session = session
      @files = files
    end

    # @return [Symbol] :queued, :running … as the portal sees it; :undetermined when Slurm is silent
    def status
      @session.status.to_sym
    rescue StandardError
      :undetermined
    end

    # @return [String] Slurm's word for why the job waits
    def reason
      native(:reason)
    end

    def comment
      native(:comment)
    end

    # @return [Time, nil] when Slurm expects the job to start, as far as it can tell
    def expected_start
      text = native(:start_time)
      time = text.match?(/\A\d+\z/) ? Time.at(text.to_i) : Time.parse(text)
      time.to_i.positive? ? time : nil
    rescue ArgumentError
      nil
    end

    # @return [Integer, nil] seconds
    def limit_s
      @session.info.wallclock_limit&.to_i
    rescue StandardError
      nil
    end

    # @return [String] how the job ended, in Slurm's word; empty when nobody can tell
    def end_state
      now = word(native(:state))
      return keep(now) if OVER.include?(now)

      kept = @files.read_json(KEPT)
      return kept['state'].to_s if OVER.include?(kept['state']) || Time.now.to_i - kept['asked_at'].to_i < ASK_AGAIN_S

      keep(ask_sacct)
    end

    private

    def native(key)
      found = @session.info.native
      found.is_a?(Hash) ? (found[key] || found[key.to_s]).to_s.strip : ''
    rescue StandardError
      ''
    end

    def keep(state)
      kept = @files.read_json(KEPT)['state']
      @files.keep(KEPT, { state: state, asked_at: Time.now.to_i }) unless kept == state && OVER.include?(state)
      state
    end

    # "CANCELLED by 1000" and "CANCELLED+" are CANCELLED.
    def word(text)
      text.to_s.split.first.to_s.delete_suffix('+')
    end

    def ask_sacct
      job_id = @session.job_id.to_s
      return '' unless job_id.match?(/\A\d{1,12}\z/)

      out, status = Open3.capture2('timeout', PATIENCE_S.to_s, sacct, '-n', '-P', '-X', '-o', 'State', '-j', job_id,
                                   err: File::NULL, stdin_data: '')
      status.success? ? word(out.lines.last) : ''
    rescue SystemCallError
      ''
    end

    def sacct
      folder = @session.cluster.job_config[:bin].to_s
      folder.empty? ? 'sacct' : File.join(folder, 'sacct')
    rescue StandardError
      'sacct'
    end
  end
end
