# frozen_string_literal: true

module CurcLlm
  # The part of a card that is there in every state: how the session is doing.
  class CardStatus
    include CardHtml

    # @param session [Object] the portal's session
    # @param files [CardFiles]
    # @param parts [CardParts]
    # @param settings [CardSettings]
    def initialize(session, files, parts, settings)
      @session = session
      @files = files
      @parts = parts
      @gpus = CardGpus.new(settings, files)
      @slurm = CardSlurm.new(session, files)
      @engines = CardEngines.new(files, parts)
      @usage = CardUsage.new(files, @slurm.limit_s)
      @successor = CardSuccessor.new(session, files, parts, settings)
    end

    # @return [CardHtml::Html]
    def to_html
      case @slurm.status
      when :completed then asked
      when :running then running
      when :undetermined then join([silent, asked])
      else join([waiting, asked, @parts.data_notice])
      end
    end

    private

    def waiting
      reason = CardWords.reason(@slurm.reason)
      never = reason.include?('never start') || reason.include?('delete it')
      held = %i[queued_held suspended].include?(@slurm.status)
      title = { queued_held: 'On hold', suspended: 'Paused by Slurm' }.fetch(@slurm.status, 'Waiting in the queue')
      @parts.alert(never || held ? 'warning' : 'info', tag(:strong, {}, title), reason.empty? ? '.' : ": #{reason}.", ' ',
                   never ? '' : expected, ' Waiting costs nothing.')
    end

    def expected
      time = @slurm.expected_start
      return 'Slurm cannot tell yet when it will start.' unless time
      return 'It should start any moment.' if time < Time.now + 60

      "Slurm expects it to start at #{CardWords.clock(time)}, in #{CardWords.roughly(time - Time.now)}, or earlier."
    end

    def silent
      @parts.alert('warning', tag(:strong, {}, 'Slurm does not answer.'),
                   ' Nothing is known of the job at the moment; it may well be running. This card asks again by itself.')
    end

    def running
      return join([starting, asked, @parts.data_notice]) if @files.record.empty?

      join([headline, @successor.to_html, @engines.blocks, warnings, numbers, @parts.data_notice])
    end

    def starting
      @parts.alert('info', tag(:strong, {}, 'The session is starting.'), ' Its page is there in a few seconds; then the model loads.')
    end

    def headline
      status = @files.record['status'].to_s
      tone, words = {
        'ready' => ['success', 'Ready'], 'draining' => ['warning', 'The session is ending'],
        'restarting' => ['warning', 'The model is being restarted'], 'failed' => ['danger', 'The session has failed']
      }.fetch(status, ['primary', 'The model is starting'])
      tag(:p, { class: 'mb-2' }, tag(:span, { class: "badge bg-#{tone} #{'text-dark ' if tone == 'warning'}me-2" }, words), tag(:strong, {}, @engines.model), where)
    end

    def where
      host = @files.record['host'].to_s
      host.empty? ? '' : " on #{host}"
    end

    def warnings
      newest = Array(@files.record['warnings']).last.to_s
      reason = @files.record.dig('reason', 'message').to_s if @files.record['reason'].is_a?(Hash)
      said = [newest, reason.to_s].reject { |sentence| sentence.empty? || @engines.tell?(sentence) || moved?(sentence) }
      said.pop if said.length == 2 && said.first.include?(said.last)
      said.map { |sentence| @parts.alert('warning', sentence) }
    end

    # The box of the successor says it already.
    def moved?(sentence)
      !@successor.name.empty? && sentence.include?('goes on as')
    end

    def numbers
      tokens = @engines.context_tokens
      @parts.figures([
                       ['Time left', @usage.time_left], ['Used so far', @usage.so_far], ['Still to use', @usage.left],
                       ['Context', tokens ? "#{CardWords.number(tokens)} tokens" : ''], ['Stops when idle', idle],
                       ['Goes on as', coming]
                     ])
    end

    # Another job that will take over, and hasn't yet.
    def coming
      after = @files.record['hand_over']
      return '' unless @successor.name.empty? && after.is_a?(Hash) && !after['session_id'].to_s.empty?

      "#{after['session_id']} (#{after['phase']})"
    end

    def idle
      stops_at = @files.record['idle_stop_at']
      return "in #{CardWords.lasting(stops_at - Time.now.to_f)} unless used" if stops_at.is_a?(Numeric)

      minutes = @files.spec['idle_stop_min']
      minutes.is_a?(Numeric) && minutes.positive? ? "after #{CardWords.number(minutes)} min" : ''
    end

    def asked
      values = context
      own = values['llm_model'] == 'own' ? values['llm_own_model'] : values['llm_model']
      gpus, hours, account, qos = %w[llm_gpus bc_num_hours auto_accounts llm_qos].map { |id| values[id].to_s[0, 80] }
      @parts.figures([
                       ['Model', own.to_s[0, 160]], ['GPUs', @gpus.title(gpus)], ['Hours', hours], ['Account', account], ['QoS', qos]
                     ])
    end

    def context
      found = @session.user_context
      found.is_a?(Hash) ? found : {}
    rescue StandardError
      {}
    end
  end
end
