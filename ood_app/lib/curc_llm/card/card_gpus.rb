# frozen_string_literal: true

require 'json'

module CurcLlm
  # The form's word for GPUs as the form shows it: from the launch table, which is read once for each session and not
  # for each drawing of its card.
  class CardGpus
    KEPT = 'gpus.json'

    # @param settings [CardSettings]
    # @param files [CardFiles]
    def initialize(settings, files)
      @settings = settings
      @files = files
    end

    # title("l40-x1") # => "1 × L40 48 GB"; a word that isn't in the table stays as it is
    def title(slug)
      return slug unless slug.match?(/\A[a-z0-9-]{1,60}-x[0-9]{1,3}\z/)

      kept = @files.read_json(KEPT)
      return kept['title'].to_s if kept['gpus'] == slug

      found = look_up(slug)
      @files.keep(KEPT, { gpus: slug, title: found }) if found
      found || slug
    end

    private

    def look_up(slug)
      place = place_class
      table['gpus'].each do |name, gpu|
        found = gpu['counts'].map { |count| place.new(name, gpu, count) }.find { |one| one.slug == slug }
        return found.title if found
      end
      nil
    rescue StandardError
      nil
    end

    def table
      JSON.parse(File.read(File.expand_path(@settings.text(:launch_table), ood_app), encoding: 'UTF-8'))
    end

    # The same rule for the form's words as the form's own, in a module of its own like all of the card.
    def place_class
      file = File.join(ood_app, 'lib', 'curc_llm', 'place.rb')
      Module.new.tap { |own| own.module_eval(File.read(file, encoding: 'UTF-8'), file) }::CurcLlm::Place
    end

    def ood_app
      File.join(@settings.app_root, 'ood_app')
    end
  end
end
