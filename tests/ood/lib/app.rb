# frozen_string_literal: true

require 'erb'
require 'pathname'
require 'yaml'
require_relative 'attribute'
require_relative 'context'
require_relative 'portal_version'

module Portal
  # A Batch Connect app as the portal reads it: manifest, form and submit file.
  class App
    # The form can't be used; says why, in the portal's words.
    class Invalid < StandardError; end

    attr_reader :root, :token, :version

    # @param root [#to_s] the app's folder
    # @param clusters [Array<String>] the portal's clusters
    # @param accounts [Array] what sacctmgr said of this person
    # @param version [String, Version]
    def initialize(root, token: 'sys/curc-llm', clusters: ['alpine'], accounts: [], version: Version::KNOWN.last)
      @root, @token, @clusters, @accounts = Pathname(root), token, clusters, accounts
      @version = version.is_a?(Version) ? version : Version.new(version)
    end

    def manifest
      @manifest ||= YAML.safe_load(root.join('manifest.yml').read)
    end

    def title
      form.fetch(:title, manifest['name'])
    end

    def description
      form.fetch(:description, manifest['description'])
    end

    def form_header
      version.at_least?('4.0') ? form.fetch(:form_header, '') : ''
    end

    # form.yml.erb as a hash; kept for hours from 4.2 on, so it is read once here too.
    def form
      @form ||= read('form.yml.erb', nil)
    rescue StandardError, ScriptError => e
      raise Invalid, "#{e.class}: #{e.message}"
    end

    # The clusters that the app asks for and the portal has.
    def clusters
      wanted = Array(form[:cluster]).map(&:to_s)
      wanted.flat_map { |glob| @clusters.select { |name| File.fnmatch(glob, name, File::FNM_EXTGLOB) } }.uniq
    end

    # @return [Context] with the values that the form begins with
    def context
      raise Invalid, 'This app requires clusters that do not exist or you do not have access to.' if clusters.empty?

      ids = form.fetch(:form, []).flatten.map(&:to_s)
      options = { **form.fetch(:attributes, {}) }
      options[:cluster] = cluster_options.merge(options[:cluster] || {})
      ids.unshift('cluster') unless ids.include?('cluster')
      Context.new(ids.map { |id| Attribute.build(id, options.fetch(id.to_sym, {}), version, accounts: @accounts) })
    end

    # What is asked of the scheduler: the fields' own wishes, and the submit file's over them; lists replace lists.
    # Whatever submit.yml.erb raises comes through.
    def submit(context, staged_root: nil)
      wishes = context.map(&:submit).reduce({}) { |sum, wish| merge(sum, wish) }
      names = context.to_openstruct(staged_root: staged_root)
      merge(wishes, read('submit.yml.erb', names.instance_eval { binding }))
    end

    # What is inlined below the form.
    def form_script
      file = root.join('form.js')
      file.file? ? "(function(){\n#{file.read}\n}());" : ''
    end

    private

    def cluster_options
      return { widget: 'select', label: 'Cluster', options: clusters.map { |id| [id, id] } } if clusters.size > 1
      return { value: clusters.first, widget: 'hidden_field' } if version.at_least?('4.0')

      { value: clusters.first, fixed: true }
    end

    def read(name, names)
      file = [root.join(name), root.join(name.delete_suffix('.erb'))].find(&:file?)
      return {} if file.nil?

      text = file.read
      if file.extname == '.erb'
        erb = ERB.new(text, trim_mode: '-')
        erb.filename = file.to_s
        text = erb.result(names)
      end
      symbolize(YAML.safe_load(text).to_h)
    end

    def symbolize(value)
      case value
      when Hash then value.to_h { |key, inner| [key.to_sym, symbolize(inner)] }
      when Array then value.map { |inner| symbolize(inner) }
      else value
      end
    end

    def merge(left, right)
      left.merge(right) { |_, a, b| a.is_a?(Hash) && b.is_a?(Hash) ? merge(a, b) : b }
    end
  end
end
