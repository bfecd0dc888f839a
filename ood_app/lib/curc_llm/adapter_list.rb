# frozen_string_literal: true

module CurcLlm
  # LoRA adapters as the form takes them: `NAME=SOURCE`, a source alone, or the name of one of the catalogue's, with
  # commas between. The sentences are those of `curc-llm launch --adapter` (src/curc_llm/spec/adapter.py).
  module AdapterList
    NAME = /\A[A-Za-z0-9][A-Za-z0-9._-]{0,95}\z/.freeze
    NAMES = 'Use at most 96 letters, digits, dots, dashes and underscores, beginning with a letter or digit.'
    TWICE = 'Give one another name: NAME=SOURCE.'
    SOURCES = 'Folders start with /; ids look like OWNER/NAME.'

    module_function

    # @param said [String] one line
    # @return [Array<String>] what was asked for, one by one
    # @raise [Refusal] one can't be meant
    def check(said)
      asked = said.split(',').map(&:strip).reject(&:empty?)
      names = asked.map { |one| check_one(one) }
      twice = names.find { |name| names.count(name) > 1 }
      raise Refusal.new("Two adapters are called #{Wording.quote(twice)}.", TWICE) if twice

      asked
    end

    # @return [String] its name
    def check_one(one)
      name, sign, source = one.partition('=')
      name, source = File.basename(one), one if sign.empty? && one.include?('/')
      known = name.match?(NAME)
      raise Refusal.new("#{Wording.quote(name)} can't be the name of an adapter.", NAMES) unless known
      return name if sign.empty? && source.empty?
      return name if OwnModel.hub_id?(source) || OwnModel.folder?(source)

      raise Refusal.new("#{Wording.quote(source)} is neither a folder nor a Hugging Face id.", SOURCES)
    end
  end
end
