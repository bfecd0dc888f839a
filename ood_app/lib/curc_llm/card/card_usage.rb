# frozen_string_literal: true

module CurcLlm
  # Time and service units of a session: used so far, left, and in all. The rate is the planner's; only hours are counted.
  class CardUsage
    # @param files [CardFiles]
    # @param limit_s [Integer, nil] wall time in seconds, as Slurm says
    # @param now [Time]
    def initialize(files, limit_s, now: Time.now)
      @files = files
      @limit_s = limit_s
      @now = now.to_f
    end

    # @return [Float, nil] seconds
    def left_s
      ends_at = @files.record['ends_at']
      ends_at.is_a?(Numeric) ? ends_at - @now : nil
    end

    def used_s
      began = @files.record['started_at']
      return unless began.is_a?(Numeric)

      ended = @files.record['ended_at']
      ended = [@files.record['heartbeat_at'].to_f, began].max if !ended.is_a?(Numeric) && over?
      [(ended.is_a?(Numeric) ? ended : @now) - began, 0].max
    end

    def time_left
      left_s ? CardWords.lasting(left_s) : ''
    end

    # "about 12 of 455 SU"
    def so_far
      used, total = su(used_s), su(total_s)
      return '' unless used

      total ? "about #{CardWords.number(used)} of #{CardWords.number(total)} #{unit}" : used_up
    end

    # "about 443 SU"
    def left
      su(left_s) ? "about #{CardWords.number(su([left_s, 0].max))} #{unit}" : ''
    end

    # "about 12 SU"
    def used_up
      su(used_s) ? "about #{CardWords.number(su(used_s))} #{unit}" : ''
    end

    # For a card that is drawn after the end, when the record may have stopped without one.
    def over!
      @over = true
      self
    end

    private

    def over?
      @over
    end

    def total_s
      used_s && left_s ? used_s + [left_s, 0].max : @limit_s
    end

    def su(seconds)
      rate = @files.plan['su_per_h']
      rate.is_a?(Numeric) && seconds ? rate * seconds / 3600.0 : nil
    end

    def unit
      unit = @files.site['unit'].to_s
      unit.empty? ? 'SU' : unit
    end
  end
end
