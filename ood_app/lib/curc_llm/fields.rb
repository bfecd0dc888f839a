# frozen_string_literal: true

module CurcLlm
  # What a form sent, one value at a time. Nothing is trusted: each is text of a pattern, or it is refused.
  class Fields
    # Field → what people call it; the form's labels begin with the same words.
    NAMES = {
      llm_model: 'The model', llm_own_model: 'Your own model', llm_gpus: 'The choice of GPUs',
      bc_num_hours: 'The number of hours', auto_accounts: 'The account', llm_preset: 'The purpose',
      llm_context: 'The context length', llm_adapters: 'The list of adapters', llm_qos: 'The QoS', llm_idle_min: 'The idle time in minutes',
      llm_reservation: 'The reservation', llm_mail: 'The choice of an e-mail'
    }.freeze
    MOST_CHARACTERS = 512
    TOKEN = /\bhf_[A-Za-z0-9]{8,}/.freeze # Hugging Face's
    AGAIN = 'Open the form again and choose anew.'

    # @param values [#[], #to_h] field → what was sent
    def initialize(values)
      @values = values.to_h.transform_keys(&:to_sym)
    end

    # @return [String] without blanks around it; empty when nothing was sent
    def text(id)
      value = @values[id]
      return '' if value.nil?

      refuse(id, value, 'must be one value', AGAIN) unless value.is_a?(String)
      clean = value.dup.force_encoding(Encoding::UTF_8)
      refuse(id, value, 'must be one line of plain text', AGAIN) unless plain?(clean)
      refuse(id, value, "must have at most #{MOST_CHARACTERS} characters", AGAIN) if clean.length > MOST_CHARACTERS
      refuse_token(id) if clean.match?(TOKEN)
      clean.strip
    end

    # A whole number in plain digits.
    # @param range [Range] what is allowed
    # @param empty [Integer, nil] what an empty field means
    def whole(id, range, empty: nil, hint: '')
      said = text(id)
      return empty if said.empty? && !empty.nil?

      number = said.match?(/\A[0-9]{1,9}\z/) ? said.to_i : nil
      return number if number && range.cover?(number)

      limits = "#{Wording.number(range.begin)} to #{Wording.number(range.end)}"
      refuse(id, said, "must be a whole number from #{limits}", hint)
    end

    # Text of a pattern; empty is allowed.
    def word(id, pattern, allowed, hint = '')
      said = text(id)
      said.empty? || said.match?(pattern) ? said : refuse(id, said, allowed, hint)
    end

    def plain?(text)
      text.valid_encoding? && !text.match?(/[[:cntrl:]\u2028\u2029]/)
    end

    # A secret isn't repeated: messages are logged.
    def refuse_token(id)
      raise Refusal.new("#{NAMES.fetch(id)} looks like a Hugging Face token, which no field of this form takes.",
                        'Make it invalid at huggingface.co/settings/tokens, make a new one, and run `curc-llm token` ' \
                        'in a shell on the cluster.')
    end

    # @raise [Refusal] always
    def refuse(id, value, allowed, hint = '')
      raise Refusal.new("#{NAMES.fetch(id)} is #{Wording.quote(value)}, but it #{allowed}.", hint)
    end
  end
end
