# frozen_string_literal: true

module CurcLlm
  # How far each model is: phase, progress, and how long it is likely to take.
  class CardEngines
    include CardHtml

    # @param files [CardFiles]
    # @param parts [CardParts]
    # @param now [Time]
    def initialize(files, parts, now: Time.now)
      @engines = Array(files.record['engines']).grep(Hash)
      @planned_s = files.plan['load_time_s']
      @parts = parts
      @now = now.to_f
    end

    def ready?
      @engines.any? { |engine| engine['phase'] == 'ready' }
    end

    # @return [String] the first model that writes text, else the first
    def model
      chosen = @engines.find { |engine| engine['runner'] == 'generate' } || @engines.first || {}
      chosen['served_model_name'].to_s
    end

    def context_tokens
      length = (@engines.find { |engine| engine['served_model_name'] == model } || {})['max_model_len']
      length if length.is_a?(Integer)
    end

    # @return [Array<CardHtml::Html>] one block for each model that isn't simply ready
    def blocks
      @engines.map { |engine| block_of(engine) }
    end

    # Whether a block says already what went wrong: a sentence that repeats it needs no box of its own.
    def tell?(sentence)
      @engines.reject { |engine| engine['phase'] == 'ready' && !engine['restarts'].to_i.positive? }.any? do |engine|
        cause = engine['trouble'].is_a?(Hash) ? engine['trouble']['message'].to_s : ''
        !cause.empty? && sentence.include?(cause)
      end
    end

    private

    def block_of(engine)
      phase = engine['phase'].to_s
      return settled(engine, phase) if %w[ready failed stopped].include?(phase)

      tag(:div, { class: 'mb-2' },
          tag(:div, {}, name(engine), CardWords::PHASES.fetch(phase, phase)),
          bar(engine, phase), steps(phase),
          tag(:div, { class: 'small text-muted' }, outlook(engine)), trouble(engine, 'warning'))
    end

    # The only model of a session is named above already.
    def name(engine)
      @engines.length > 1 ? "#{engine['served_model_name']}#{number(engine)}: " : ''
    end

    # Which of its replicas an engine is; empty for the only one of its model.
    def number(engine)
      same = @engines.select { |other| other['served_model_name'] == engine['served_model_name'] }
      same.length > 1 ? " (#{same.index { |other| other.equal?(engine) } + 1} of #{same.length})" : ''
    end

    def settled(engine, phase)
      return trouble(engine, 'danger') || CardHtml::EMPTY unless phase == 'ready'

      restarts = engine['restarts'].to_i
      return CardHtml::EMPTY unless restarts.positive?

      @parts.alert('warning', "#{engine['served_model_name']}#{number(engine)} had to be restarted #{restarts == 1 ? 'once' : "#{restarts} times"}. ",
                   engine.dig('trouble', 'message').to_s)
    end

    def bar(engine, phase)
      share = share_of(engine)
      tag(:progress, { class: 'w-100 d-block my-1', max: share && '1', value: share && format('%.3f', share),
                       'aria-label': CardWords::PHASES.fetch(phase, phase) })
    end

    def share_of(engine)
      return engine['progress'].to_f.clamp(0, 1) if engine['progress'].is_a?(Numeric)
      return unless expected_s(engine) && engine['started_at'].is_a?(Numeric)

      ((@now - engine['started_at']) / expected_s(engine)).clamp(0.0, 0.97)
    end

    # Earlier starts of this model tell best; the plan's estimate stands in for the first.
    def expected_s(engine)
      known = [engine['expected_ready_s'], @planned_s].find { |value| value.is_a?(Numeric) && value.positive? }
      known&.to_f
    end

    def steps(phase)
      here = CardWords::STEPS.keys.index(phase)
      return CardHtml::EMPTY unless here

      tag(:div, { class: 'small' }, CardWords::STEPS.values.each_with_index.map do |word, index|
        mark, tone = index < here ? ['✓ ', 'text-success'] : ['', index == here ? 'fw-bold' : 'text-muted']
        tag(:span, { class: "me-3 #{tone}", 'aria-current': index == here ? 'step' : nil }, mark, word)
      end)
    end

    def outlook(engine)
      words = [engine['detail'].to_s]
      if engine['started_at'].is_a?(Numeric)
        so_far = @now - engine['started_at']
        words << "#{CardWords.lasting(so_far)} so far"
        words << ahead(engine, so_far)
      end
      words.reject(&:empty?).join(' · ')
    end

    def ahead(engine, so_far)
      expected = expected_s(engine)
      return '' unless expected
      return 'longer than expected, but still at work' if so_far > expected

      how = engine['expected_ready_s'] ? 'as earlier starts took' : 'by estimate'
      "#{CardWords.roughly(expected - so_far)} to go, #{how}"
    end

    def trouble(engine, tone)
      said = engine['trouble']
      return unless said.is_a?(Hash) && !said['message'].to_s.empty?

      @parts.alert(tone, said['message'], ' ', remedy(said))
    end

    def remedy(said)
      change = CardEnding.change_of(said['code'])
      kept = CardWords.without_settings(said['remedy'].to_s)
      kept.empty? && !change.empty? ? "What to change: #{change}" : kept
    end
  end
end
