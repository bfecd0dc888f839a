# frozen_string_literal: true

require 'yaml'

module CurcLlm
  # What job and cards need of the portal's settings: portal.yml, and over it the portal.local.yml of this installation.
  # A file that can't be read counts as empty, so that a card is shown even when the settings are broken.
  class CardSettings
    FILES = %w[ood_app/portal.yml ood_app/portal.local.yml].freeze

    # @param app_root [String] the app's folder
    def self.load(app_root)
      new(FILES.map { |file| read(File.join(app_root.to_s, file)) }.reduce { |low, high| merge(low, high) }, app_root.to_s)
    end

    def self.read(path)
      found = YAML.safe_load(File.read(path))
      found.is_a?(Hash) ? found : {}
    rescue SystemCallError, Psych::Exception
      {}
    end

    def self.merge(low, high)
      low.merge(high) { |_, a, b| a.is_a?(Hash) && b.is_a?(Hash) ? merge(a, b) : b }
    end
    private_class_method :read, :merge

    # @return [String] the app's folder
    attr_reader :app_root

    # @param values [Hash] of the files
    # @param app_root [String] the app's folder
    def initialize(values = {}, app_root = '')
      @values = values
      @app_root = app_root
    end

    # @return [String] empty when it isn't set
    def text(name)
      value = @values[name.to_s]
      value.is_a?(String) || value.is_a?(Numeric) ? value.to_s.strip : ''
    end

    # @return [Hash] kind, python, modules, image, binds
    def runtime
      @values['runtime'].is_a?(Hash) ? @values['runtime'] : {}
    end

    # @return [Array<String>] the sentences or lines of a setting that may be one text or a list
    def lines(name)
      Array(@values[name.to_s]).flat_map { |line| line.to_s.split("\n") }.map(&:strip).reject(&:empty?)
    end

    # @return [String] where the portal's proxy begins
    def node_uri
      uri = text(:node_uri)
      uri.match?(%r{\A(/[\w.-]+)+\z}) ? uri : '/node'
    end
  end
end
