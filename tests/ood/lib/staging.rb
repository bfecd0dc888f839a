# frozen_string_literal: true

require 'erb'
require 'fileutils'
require 'json'
require 'open3'
require 'pathname'

module Portal
  # Copies an app's template folder to where the job will run and renders what is ERB in it, as the portal does: the
  # template folder's own mode comes along (often 0755), files of the portal's own get the umask's mode.
  module Staging
    # What the template's files see.
    Names = Struct.new(:session, :context) do
      def names
        binding
      end
    end

    # @param app_root [Pathname, String] the app's folder
    # @param staged_root [Pathname, String] made when missing, 0700
    # @param session [Object] what ERB calls `session`
    # @param context [Object] what ERB calls `context`; `to_json`-able through `values`
    # @param values [Hash] all form values, for user_defined_context.json
    # @return [Pathname] staged_root
    def self.stage(app_root, staged_root, session:, context:, values:)
      template, staged = Pathname(app_root).join('template'), Pathname(staged_root)
      FileUtils.mkdir_p(staged, mode: 0o700) unless staged.exist?
      copy(template, staged)
      staged.join('user_defined_context.json').write(JSON.pretty_generate(values))
      render(template, staged, Names.new(session, context).names)
      staged
    end

    def self.copy(template, staged)
      said, status = Open3.capture2e(
        'rsync', '-rlpv', '--exclude', '.*.swp', '--exclude', '*.erb', "#{template}/", staged.to_s
      )
      raise said unless status.success?
    end

    def self.render(template, staged, names)
      Pathname.glob(template.join('**', '*.erb')).select(&:file?).each do |file|
        target = staged.join(file.relative_path_from(template)).sub_ext('')
        target.write(ERB.new(file.read, trim_mode: '-').result(names)) # no file name, as in the portal
        target.chmod(file.stat.mode)
      end
    end
    private_class_method :copy, :render
  end
end
