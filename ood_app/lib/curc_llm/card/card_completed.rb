# frozen_string_literal: true

module CurcLlm
  # The part of a card that is there after the end: why it ended, what to do, what it has cost, where the log is.
  class CardCompleted
    include CardHtml
    AGAIN = 'The arrows at the top of this card launch the same again; the pen opens the form first.'

    # @param session [Object] the portal's session
    # @param files [CardFiles]
    # @param parts [CardParts]
    # @param settings [CardSettings]
    def initialize(session, files, parts, settings)
      @files, @parts = files, parts
      @ending = CardEnding.new(files, CardSlurm.new(session, files))
      @usage = CardUsage.new(files, nil).over!
      @successor = CardSuccessor.new(session, files, parts, settings, ending: @ending)
    end

    # @return [CardHtml::Html]
    def to_html
      story = @ending.story
      # Of an end in good order the successor's box says it; why a session failed is said in any case.
      message = @successor.name.empty? || !story.good ? story.message : ''
      join([@parts.alert(story.good ? 'secondary' : 'danger', tag(:strong, {}, "#{story.title}."), ' ', message), @successor.to_html,
            remedy(story), numbers, logs])
    end

    private

    def remedy(story)
      change = @ending.change(story)
      # A setting of the command line's is nothing that the form has: what to change there says it.
      remedy = change.empty? ? story.remedy : CardWords.without_settings(story.remedy)
      remedy = change = '' if @successor.goes_on?
      lines = [['What to do', remedy], ['What to change', change], ['Again', AGAIN]]
      tag(:div, { class: 'mb-2' }, lines.reject { |_, text| text.empty? }.map do |title, text|
        tag(:p, { class: 'mb-1' }, tag(:strong, {}, "#{title}: "), text)
      end)
    end

    def numbers
      used_s = @usage.used_s
      @parts.figures([['Ran for', used_s ? CardWords.lasting(used_s) : ''], ['Used', @usage.used_up],
                      ['Session', @files.record['session_id'].to_s]])
    end

    def logs
      folder = @files.session_dir
      links = [@parts.file_link(File.join(@files.staged_root, 'output.log'), 'The job\'s log')]
      links << @parts.file_link(File.join(folder, 'logs'), 'All logs of the session') unless folder.empty?
      tag(:p, { class: 'mb-0' }, links.flat_map { |link| [link, ' · '] }[0..-2])
    end
  end
end
