# frozen_string_literal: true

module CurcLlm
  # The launches nearest to one that can't be, each looked up in the table before it is named.
  class Nearest
    MOST = 2

    # @param hours [Integer, nil] nil: as many as are usual
    def initialize(table, model, hours: nil, preset: '')
      @table, @model, @hours, @preset = table, model, hours || table.site['default_hours'], preset
      @by_key = table.places.to_h { |place| [place.key, place] }
    end

    # Where this model fits, for these hours: first what the table names for a place where it doesn't, then the best.
    # @return [Array<Place>]
    def places(refused = nil)
      named = refused ? refused.alternatives.map { |key| @by_key[key] } : []
      (named.compact + by_worth).uniq(&:key).lazy.select { |place| usable?(place) }.first(MOST)
    end

    # @return [String] "The nearest launch that works: 2 × L40 48 GB (235 SU per hour), or …"
    def sentence(refused = nil)
      named = places(refused).map { |place| "#{place.title} (#{rate(place)})" }
      return "No launch of it works here for #{Wording.number(@hours)} hours; choose another model." if named.empty?

      named.length == 1 ? "This works: #{named[0]}." : "These work: #{Wording.list(named)}."
    end

    # The place that a form begins with for a model.
    # @return [Place, nil]
    def best
      by_worth.find { |place| usable?(place) } || by_worth.first
    end

    private

    def row(place)
      @model && @table.models.key?(@model) ? @table.row(@model, place, @preset) : @table.generous_row(place)
    end

    def by_worth
      @by_worth ||= @table.places.select { |place| row(place)&.fits? && !place.gpu['on_request'] }
                          .sort_by { |place| [worth(row(place)), row(place).su_per_h, place.count, place.key] }
    end

    # Room for two chats before less, full quality before four bits, and only then the price.
    def worth(row)
      cramped = row.chats < 2 || row.max_model_len < [@table.chat_tokens, most_context].min
      [cramped ? 1 : 0, few_bits?(row) ? 1 : 0].sum
    end

    def most_context
      @table.models.dig(@model, 'max_context_tokens') || @table.chat_tokens
    end

    def usable?(place)
      row(place)&.fits? && !Term.new(@table, place, preset: @preset).find(@hours).nil?
    end

    # Weights of four bits that weren't trained so lose some quality.
    def few_bits?(row)
      row.quantisation.match?(/int4|w4a16|awq|gptq|nvfp4|4bit/)
    end

    def rate(place)
      "#{Wording.number(row(place).su_per_h)} #{@table.unit} per hour"
    end
  end
end
