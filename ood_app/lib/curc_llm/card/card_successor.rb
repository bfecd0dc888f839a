# frozen_string_literal: true

module CurcLlm
  # The session that has taken over from this one: another job, which no card of the portal's is for. So this card leads
  # to it, also when its own session is over.
  class CardSuccessor
    include CardHtml
    NAME = /\A[a-z][a-z0-9-]{0,63}\z/
    MOST = 100
    OVER = %w[ended failed gone].freeze
    # Ends that somebody wanted: then nothing goes on.
    WANTED = %w[stopped idle cancelled CANCELLED].freeze

    # What Slurm is asked of another job by: its number, and where its commands are.
    Job = Struct.new(:job_id, :cluster)

    # @param session [Object] the portal's session
    # @param files [CardFiles] of the session that handed over
    # @param parts [CardParts]
    # @param settings [CardSettings]
    # @param ending [CardEnding, nil] how it ended; nil while it runs
    def initialize(session, files, parts, settings, ending: nil)
      @session = session
      @files, @parts, @settings, @ending = files, parts, settings, ending
    end

    # @return [String] name of the last one in the line; empty without any
    def name
      heir ? @name : ''
    end

    # Whether somebody is served still, so that nothing is to be launched.
    def goes_on?
      !name.empty? && !over?
    end

    # @return [CardHtml::Html]
    def to_html
      return CardHtml::EMPTY if name.empty?

      said = @parts.alert('info', tag(:strong, {}, "This session #{verb} on as #{name}."), ' ', *words)
      door.open? && !over? && !base_url.empty? ? join([said, door.to_html('next', 'Open chat there', 'Opens in a new tab.', '')]) : said
    end

    private

    def verb
      return 'was to go' unless ended_unseen.empty?

      over? ? 'went' : 'goes'
    end

    def words
      return ["Its job #{ended_unseen == 'CANCELLED' ? 'was cancelled' : 'ended'} before it began."] unless ended_unseen.empty?
      return ['That one has ended too.'] if over?
      return ['Its job waits in Slurm\'s queue; this card shows the way to it once it runs.'] if base_url.empty?

      ['Keys go on working, and your chats are there.', line('Its address:', base_url),
       line("Delete on this card doesn't end it; that does:", "curc-llm stop #{name}")]
    end

    # What is copied stands apart from the sentence.
    def line(text, code)
      tag(:div, {}, text, ' ', tag(:code, {}, code))
    end

    def over?
      OVER.include?(heir.record['status']) || !ended_unseen.empty?
    end

    # @return [String] how the job ended that has left no word, in Slurm's; empty while it waits, or nobody can tell
    def ended_unseen
      @ended_unseen ||= heir.record.empty? ? over_in_slurm : ''
    end

    def over_in_slurm
      state = CardSlurm.new(Job.new(heir.job_id, cluster), heir).end_state
      CardSlurm::OVER.include?(state) ? state : ''
    end

    def cluster
      @session.cluster
    rescue StandardError
      nil
    end

    def base_url
      heir.record['base_url'].to_s
    end

    def door
      @door ||= CardDoor.new(heir.login_secret, host, heir.record['port'].to_s, @parts, @settings)
    end

    # The portal's proxy may want short names or full ones: the next node is called as this one is.
    def host
      theirs, mine, portal = heir.record['host'].to_s, @files.record['host'].to_s, @files.portal_host
      node, domain = portal.split('.', 2)
      node && node == mine.split('.').first ? [theirs.split('.').first, domain].compact.join('.') : theirs
    end

    # Sessions lie side by side; each names the one after it.
    def heir
      @heir ||= follow(@files, @files.session_dir)
    end

    def follow(files, folder)
      found = nil
      MOST.times do
        after = named_by(files.record)
        break unless after.match?(NAME) && !folder.empty?

        @name = after
        folder = File.join(File.dirname(folder), after)
        found = files = CardFiles.new(folder, session: '.')
      end
      found
    end

    # A session that was torn away before it could hand over leads to the successor that it had submitted.
    def named_by(record)
      after = record['successor'].to_s
      return after unless after.empty? && @ending && record.equal?(@files.record) && !WANTED.include?(@ending.story.code)

      coming = record['hand_over']
      coming.is_a?(Hash) ? coming['session_id'].to_s : ''
    end
  end
end
