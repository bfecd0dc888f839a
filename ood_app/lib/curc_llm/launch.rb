# frozen_string_literal: true

module CurcLlm
  # A launch that was checked: every value is one that the table or a strict pattern allows.
  Launch = Struct.new(
    :model, :own_model, :place, :row, :hours, :qos, :account, :preset, :context_tokens, :adapters, :idle_min, :reservation,
    :mails, keyword_init: true
  ) do
    # What people call the model.
    def model_name
      model || own_model
    end
  end
end
