# frozen_string_literal: true

require 'json'
require 'shellwords'

module CurcLlm
  # The lines of the job's scripts that depend on how the centre set up the runtime: a virtual environment's Python, a
  # module, or an Apptainer image. All values are the staff's; each is quoted for the shell nevertheless.
  class JobRuntime
    JOB = 'curc_llm.job.portal'

    def self.load(app_root)
      new(CardSettings.load(app_root), app_root.to_s)
    end

    # @param settings [CardSettings]
    # @param app_root [String] the app's folder
    def initialize(settings, app_root)
      @settings = settings
      @runtime = settings.runtime
      @app_root = app_root
    end

    # @return [String] what the session's program finds in its environment
    def environment_lines
      site = [@settings.text(:site_file), @settings.text(:site)].find { |text| !text.empty? }
      first = site ? "export CURC_LLM_SITE=#{site.shellescape}" : '# No site is set: the runtime knows its own.'
      [first, *notice_line, *settings_lines].join("\n")
    end

    # @return [String] the lines that become the session
    def start_lines
      case kind
      when 'module' then module_lines
      when 'apptainer' then apptainer_lines
      else venv_lines
      end
    end

    private

    # The chat and the session's own page say it too.
    def notice_line
      notice = @settings.lines(:data_notice).join(' ')
      notice.empty? ? [] : ["export CURC_LLM_DATA_NOTICE=#{notice.shellescape}"]
    end

    # Where jobs keep things. Variables in the values are replaced by the session's program, so bash leaves them alone.
    def settings_lines
      @settings.lines(:environment).filter_map do |line|
        name, value = line.split('=', 2)
        "export #{name}=#{value.shellescape}" if value && name.match?(/\ACURC_LLM_[A-Z_]+\z/)
      end
    end

    def kind
      @runtime['kind'].to_s.strip
    end

    def value(name, otherwise = '')
      found = @runtime[name].to_s.strip
      found.empty? ? otherwise : found
    end

    def list(name)
      Array(@runtime[name]).map { |item| item.to_s.strip }.reject(&:empty?)
    end

    # The checkout's own environment when nothing is set: what `make setup` builds.
    def venv_lines
      python = value('python', File.join(@app_root, '.venv/bin/python'))
      missing = trouble('runtime_missing', "The session's software is not on this node: there is no #{python}.")
      [*load_modules(list('modules')), "python=#{python.shellescape}", "[ -x \"$python\" ] || #{missing}", check('"$python"'),
       "exec \"$python\" -P -m #{JOB} \"$staged\""].join("\n")
    end

    def module_lines
      python = value('python', 'python3')
      missing = trouble('runtime_missing', "The module of the session's software brings no #{python}.")
      [*load_modules(list('modules')), "python=$(command -v #{python.shellescape}) || #{missing}", check('"$python"'),
       "exec \"$python\" -P -m #{JOB} \"$staged\""].join("\n")
    end

    def apptainer_lines
      image = value('image')
      absent = trouble('apptainer_missing', 'Apptainer is not on this node, so the session\'s image cannot be started.')
      missing = trouble('runtime_missing', "The session's image is not on this node: there is no #{image}.")
      run = 'apptainer exec "${options[@]}" "$image"'
      [*load_modules(list('modules')), "image=#{image.shellescape}", "command -v apptainer >/dev/null || #{absent}",
       "[ -e \"$image\" ] || #{missing}", 'options=(--bind "$staged")', *binds,
       '[ ! -e /dev/nvidiactl ] || options+=(--nv)', check("#{run} #{value('python', 'python3').shellescape}"),
       "exec #{run} #{value('python', 'python3').shellescape} -P -m #{JOB} \"$staged\""].join("\n")
    end

    def binds
      list('binds').map { |bind| "options+=(--bind #{bind.shellescape})" }
    end

    # `module` is a shell function that only some shells have from the start.
    def load_modules(names)
      return [] if names.empty?

      absent = trouble('module_missing', 'This node has no `module` command, so the session\'s software cannot be loaded.')
      [
        'set +u  # what the centre\'s files do is not ours to check',
        'for file in /etc/bashrc /etc/bash.bashrc /etc/profile.d/lmod.sh /etc/profile.d/modules.sh; do',
        '  # shellcheck source=/dev/null',
        '  if ! type module >/dev/null 2>&1 && [ -r "$file" ]; then source "$file" >/dev/null 2>&1; fi',
        'done',
        "type module >/dev/null 2>&1 || #{absent}",
        *names.map { |name| load_module(name) },
        'set -u'
      ]
    end

    def load_module(name)
      "module load #{name.shellescape} || #{trouble('module_missing', "The module #{name} could not be loaded on this node.")}"
    end

    # Half a second that tells a broken environment from a session that failed.
    def check(python)
      broken = trouble('runtime_broken', "The session's software on this node is broken: curc-llm cannot be started.")
      "#{python} -P -c 'import curc_llm.job' || #{broken}"
    end

    def trouble(code, message)
      remedy = 'This is for the centre\'s staff to mend: please tell them, with the session\'s number.'
      "trouble #{JSON.generate({ code: code, message: message, remedy: remedy }).shellescape}"
    end
  end
end
