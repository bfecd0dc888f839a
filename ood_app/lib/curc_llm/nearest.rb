# frozen_string_literal: true

module CurcLlm
  # The launches nearest to one that can't be, each looked up in the table before it is named.
  class Nearest
    MOST = 2

    # @param hours [Integer, nil] nil: as many as are usual
    # @param like [Place, nil] named first when the model fits there
    def initialize(table, model, hours: nil, preset: '', like: nil)
      @like = like
      @table, @model, @hours, @preset = table, model, hours || table.site['default_hours'], preset
      @by_key = table.places.to_h { |place| [place.key, place] }
    end

    # Where this model fits, for these hours: first what the table names for a place where it doesn't, then the best.
    # @return [Array<Place>]
    def places(refused = nil)
      named = refused ? refused.alternatives.map { |key| @by_key[key] } : []
      ([@like] + named + by_worth).compact.uniq(&:key).lazy.select { |place| usable?(place) }.first(MOST)
    end

    # @return [String] "This works: 2 × L40 48 GB (244 SU per hour)." or what else to do
    def sentence(refused = nil)
      named = describe(places(refused))
      return "Nothing here runs it for #{Wording.count(@hours, 'hour')}; choose another model." if named.empty?

      places(refused).length == 1 ? "This works: #{named}." : "These work: #{named}."
    end

    # @return [String] "2 × L40 48 GB (244 SU per hour) or 1 × …"
    def describe(places)
      Wording.list(places.map { |place| "#{place.title} (#{rate(place)})" })
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
