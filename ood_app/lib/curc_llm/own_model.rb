# frozen_string_literal: true

module CurcLlm
  # A model that isn't in the list: an id of the Hugging Face hub, a folder, or `demo`.
  module OwnModel
    DEMO = 'demo' # the tiny model that comes with curc-llm
    HUB_ID = %r{\A[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\z}
    FOLDER = %r{\A(/[A-Za-z0-9._@+=, ~-]+)+/?\z}
    NOT_FOR_MODELS = %r{\A/(proc|sys|dev|etc|run|boot)(/|\z)}
    REMEDY = 'Write an id such as Qwen/Qwen3-8B, or a full path such as /projects/you/models/my-model.'

    module_function

    # @param said [String] without control characters
    # @return [Boolean]
    def name?(said)
      said == DEMO || hub_id?(said) || folder?(said)
    end

    def hub_id?(said)
      said.match?(HUB_ID) && !said.match?(/\.\.|--/)
    end

    # A full path without `.` and `..`; whether it is there the job finds out, since the portal's machine may not
    # see the same disks.
    def folder?(said)
      said.match?(FOLDER) && !said.match?(NOT_FOR_MODELS) && (said.split('/') & %w[. ..]).empty?
    end
  end
end
