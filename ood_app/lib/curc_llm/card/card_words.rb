# frozen_string_literal: true

module CurcLlm
  # Times, phases and Slurm's reasons as people read them.
  module CardWords
    PHASES = {
      'queued' => 'Waiting to start', 'environment' => 'Preparing the environment',
      'downloading' => 'Downloading the model', 'loading' => 'Loading the model into memory',
      'compiling' => 'Warming up', 'ready' => 'Ready', 'restarting' => 'Starting again',
      'failed' => 'Stopped with an error', 'stopped' => 'Stopped'
    }.freeze
    STEPS = { 'environment' => 'Environment', 'downloading' => 'Download', 'loading' => 'Load', 'compiling' => 'Warm up',
              'ready' => 'Ready' }.freeze
    # squeue's reason codes that people meet most (squeue manual, JOB REASON CODES), the first that fits.
    REASONS = [
      [/\ANone\z/, 'Slurm has not looked at it yet'],
      [/\AResources\z/, 'waiting until enough GPUs, cores or memory are free; it is next in line'],
      [/\APriority\z/, 'others are before it in the queue'],
      [/maintenance/i, 'its nodes are reserved for a maintenance before it would end; fewer hours may start sooner'],
      [/ReqNodeNotAvail|DOWN/, 'nodes that it needs are down or reserved, often for a maintenance before it would end'],
      [/\ADependency/, 'waiting for another job'],
      [/\ABeginTime\z/, 'it is not to start before the time that was asked for'],
      [/JobHeldUser/, 'it is held: release it with scontrol release'],
      [/JobHeldAdmin|[Hh]eld/, 'the centre\'s staff or Slurm holds it: ask them'],
      [/\AReservation/, 'waiting for its reservation'],
      [/PartitionTimeLimit|MaxWallDuration/, 'it asks for more time than is allowed: it will never start'],
      [/InvalidAccount|InvalidQOS|NotAllowed/, 'its account or QoS is not valid here: delete it and launch with another'],
      [/PartitionDown|PartitionInactive/, 'its partition is closed at the moment'],
      [/Max(GRES|TRES).*Per(User|Account)/i, 'you hold as many GPUs as one person may at once'],
      [/Grp(GRES|TRES).*Min/i, 'the share of GPU hours is used up for now'],
      [/Grp(GRES|TRES)/i, 'all GPUs that its QoS or account may use at once are in use'],
      [/Grp(Billing|CPU).*Min/i, 'the account\'s service units are used up'],
      [/Jobs(PerUser|Limit|PerAccount)?\z/, 'as many of your jobs run as may at once'],
      [/\A(QOS|Assoc)/, 'a limit of its QoS or account is reached']
    ].freeze

    SETTING = /\b[a-z]+_[a-z_]+\b/.freeze

    module_function

    # lasting(3725) # => "1 h 2 min"; lasting(75) # => "1 min 15 s"
    def lasting(seconds)
      seconds = [seconds.to_f.round, 0].max
      hours, minutes = seconds / 3600, seconds / 60 % 60
      return "#{hours} h #{minutes} min" if hours.positive?

      minutes.positive? ? "#{minutes} min#{" #{seconds % 60} s" if minutes < 10}" : "#{seconds} s"
    end

    # roughly(130) # => "about 2 minutes"
    def roughly(seconds)
      minutes = (seconds / 60.0).round
      return 'less than a minute' if minutes < 1
      return "about #{minutes} minute#{'s' if minutes > 1}" if minutes < 90

      hours = (minutes / 60.0).round
      hours < 48 ? "about #{hours} hours" : "about #{(hours / 24.0).round} days"
    end

    #   number(3110.4) # => "3,110"; number(7.25) # => "7.3"
    def number(value)
      return value.to_f.round(1).to_s.delete_suffix('.0') if value.to_f.abs < 100

      value.round.to_s.gsub(/(\d)(?=(\d{3})+\z)/, '\1,')
    end

    # The sentences of a remedy that name no setting of the command line's, which the form doesn't have.
    def without_settings(remedy)
      remedy.split(/(?<=[.!?]) +/).reject { |sentence| sentence.match?(SETTING) }.join(' ')
    end

    def reason(word)
      text = word.to_s.strip.delete_prefix('(').delete_suffix(')')
      return '' if text.empty? || text == 'N/A'

      found = REASONS.find { |pattern, _| pattern.match?(text) }
      found ? found.last : "Slurm says: #{text[0, 200]}"
    end

    # A time of day with its zone, with the day when it isn't today.
    def clock(time, now: Time.now)
      time.strftime(time.to_date == now.to_date ? '%H:%M %Z' : '%a %-d %b, %H:%M %Z')
    end
  end
end
