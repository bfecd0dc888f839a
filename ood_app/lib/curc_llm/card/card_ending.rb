# frozen_string_literal: true

module CurcLlm
  # Why a session ended, in words, and what to change: from what the job said last, from what Slurm says, or both.
  class CardEnding
    Story = Struct.new(:good, :title, :message, :remedy, :code, keyword_init: true)

    # Slurm's word → message, remedy.
    SLURM = {
      'OUT_OF_MEMORY' => ['The job needed more of the node\'s memory than it had, so Slurm ended it.',
                          'Launch it with more memory or with a model that needs less.'],
      'TIMEOUT' => ['The session reached the end of its time.', ''],
      'NODE_FAIL' => ['The node that it ran on failed.', 'Launch it again: Slurm chooses another node.'],
      'PREEMPTED' => ['A job with a higher right took its GPUs.', 'Launch it again, or with another QoS.'],
      'BOOT_FAIL' => ['The node could not be started.', 'Launch it again: Slurm chooses another node.'],
      'LAUNCH_FAILED' => ['Slurm could not start the job on its node.', 'Launch it again; if it happens twice, tell the staff.'],
      'DEADLINE' => ['Its deadline passed.', 'Launch it again.'],
      'CANCELLED' => ['The job was cancelled.', ''],
      'FAILED' => ['The job ended with an error before it could say why.', 'Its log tells more.'],
      'COMPLETED' => ['It left no other word.', '']
    }.freeze
    # These Slurm knows better than a job that was torn away.
    DECISIVE = %w[OUT_OF_MEMORY TIMEOUT NODE_FAIL PREEMPTED BOOT_FAIL DEADLINE LAUNCH_FAILED].freeze
    VAGUE = [nil, '', 'stopped', 'supervisor_died', 'guard_died', 'signal'].freeze
    GOOD = %w[stopped idle wall_time handed_over].freeze
    # The last word's code → what to choose otherwise in the form.
    CHANGES = [
      [/wall_time/, 'the hours: choose more, if you need longer.'],
      [/idle/, 'the idle stop under More, if it should wait longer for you.'],
      [/memory|kv_cache|killed|OUT_OF/, 'the GPUs (more of them bring more memory), the model (a smaller or quantised one), or the context under More (shorter).'],
      [/gated|token|hub|download/, 'the model (one that needs no licence), or set up your Hugging Face token: curc-llm token.'],
      [/does_not_fit/, 'the GPUs or the model, to one of the launches named above.'],
      [/portal_value|spec/, 'the value named above, in the form.']
    ].freeze
    FULL = 'The folder of your portal\'s sessions could not be written: the disk or your quota is full, or it is read-only.'

    # @param files [CardFiles]
    # @param slurm [CardSlurm]
    def initialize(files, slurm)
      @files = files
      @slurm = slurm
    end

    # @return [Story]
    def story
      from_trouble || from_comment || from_both
    end

    # @return [String] what to choose otherwise; empty when the same again is right
    def change(story)
      self.class.change_of(story.code)
    end

    # @param code [String] of a trouble
    # @return [String] as change
    def self.change_of(code)
      found = CHANGES.find { |pattern, _| pattern.match?(code.to_s) }
      found ? found.last : ''
    end

    private

    def from_trouble
      said = @files.trouble
      return if said['message'].to_s.empty? || !@files.record.empty?

      Story.new(good: false, title: 'The session could not start', message: said['message'], remedy: said['remedy'].to_s,
                code: said['code'].to_s)
    end

    def from_comment
      return unless @slurm.comment.include?('curc-llm:folder_not_writable')

      Story.new(good: false, title: 'The session could not start', message: FULL, code: 'disk_full',
                remedy: 'Delete or move files there (homes are small), then launch again.')
    end

    def from_both
      said = @files.record['reason']
      said = {} unless said.is_a?(Hash)
      return told(said) unless VAGUE.include?(said['code'])

      state = @slurm.end_state
      return slurm_story(state) if DECISIVE.include?(state) || (said['message'].to_s.empty? && SLURM.key?(state))

      said['message'].to_s.empty? ? unknown : told(said)
    end

    def told(said)
      good = GOOD.include?(said['code'])
      Story.new(good: good, title: good ? 'The session has ended' : 'The session failed', code: said['code'].to_s,
                message: said['message'].to_s, remedy: good ? '' : said['remedy'].to_s)
    end

    def slurm_story(state)
      message, remedy = SLURM.fetch(state)
      good = %w[TIMEOUT COMPLETED CANCELLED].include?(state)
      good &&= !@files.record.empty? || state == 'CANCELLED'
      title = good ? 'The session has ended' : 'The session failed'
      Story.new(good: good, title: title, message: message, remedy: remedy, code: state == 'TIMEOUT' ? 'wall_time' : state)
    end

    def unknown
      started = @files.record['started_at']
      message = started ? 'The session ended without a last word.' : 'The job ended before the session had begun.'
      Story.new(good: false, title: 'The session has ended', message: message, code: 'unknown',
                remedy: 'Its log may tell why. Check that your home is not full, then launch again.')
    end
  end
end
