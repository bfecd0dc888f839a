# frozen_string_literal: true

module CurcLlm
  # The card of a session in the portal: three parts, each drawn anew every ten seconds. Whatever happens inside, a part
  # comes out: the portal would show a person the error's name instead.
  class Card
    # @param app_root [#to_s] the app's folder
    def initialize(app_root)
      @settings = CardSettings.load(app_root)
    end

    # @param session [Object] the portal's session
    # @return [String] HTML for info.html.erb
    def info(session)
      draw(session.id) { |parts| CardStatus.new(session, CardFiles.new(session.staged_root), parts, @settings).to_html }
    end

    # @param connect [Object] what connection.yml says
    # @return [String] HTML for view.html.erb
    def connect(connect)
      staged_root = self.class.path(connect.llm_root)
      draw(File.basename(staged_root)) do |parts|
        CardConnect.new(connect, CardFiles.new(staged_root), parts, @settings).to_html
      end
    end

    # @param session [Object] the portal's session
    # @return [String] HTML for completed.html.erb
    def completed(session)
      draw(session.id) { |parts| CardCompleted.new(session, CardFiles.new(session.staged_root), parts, @settings).to_html }
    end

    # A path as connection.yml has it: a letter, then its bytes in hexadecimal.
    def self.path(text)
      [text.to_s.delete_prefix('r')].pack('H*').force_encoding(Encoding::UTF_8)
    end

    private

    def draw(id)
      parts = CardParts.new(id, @settings)
      CardHtml.block({ class: 'curc-llm' }, yield(parts))
    rescue StandardError => e
      CardHtml.block({ class: 'alert alert-warning' },
                     "This part of the card could not be drawn (#{e.class}). The session itself is not touched by that.")
    end
  end
end
