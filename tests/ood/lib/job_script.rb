# frozen_string_literal: true

module Portal
  # The batch script of a session: the order of the portal's `basic` template (ood_core 0.31.1), in words of our own.
  # No trap is set, `password` isn't exported, `connection.yml` is written unquoted: an app must live with all of it.
  class JobScript
    FILES = { before: 'before.sh', script: 'script.sh', after: 'after.sh', clean: 'clean.sh' }.freeze

    # @param work_dir [#to_s] the staged folder
    # @param batch_connect [Hash] the submit file's `batch_connect`: conn_params, header, footer, script_wrapper,
    #   set_host, before_script, run_script, after_script, clean_script, bash_helpers, timeout, min_port, max_port,
    #   password_size
    # @param cluster [Hash] what the cluster's configuration says first; the app's entries win
    def initialize(work_dir:, batch_connect: {}, cluster: {})
      @work_dir = work_dir.to_s
      @options = cluster.merge(batch_connect).transform_keys(&:to_sym)
    end

    def self.render(**options)
      new(**options).to_s
    end

    # @return [String] without the first line `#!/bin/bash`, which the adapter puts in front
    def to_s
      body = option(:script_wrapper, '%s') % base
      [option(:header), body, option(:footer)].join("\n") + "\n"
    end

    private

    def option(name, otherwise = '')
      @options.fetch(name, otherwise).to_s
    end

    def path(part)
      File.join(@work_dir, FILES.fetch(part))
    end

    def source(part)
      %([[ -e "#{path(part)}" ]] && source "#{path(part)}")
    end

    def connection
      names = Array(@options.fetch(:conn_params, [])).map(&:to_s)
      (names + %w[host port password]).uniq.map { |name| "#{name}: $#{name}" }.join('\n')
    end

    def run
      seconds = option(:timeout)
      command = seconds.empty? ? '' : "timeout #{seconds} "
      option(:run_script, %(#{command}"#{path(:script)}"))
    end

    def helpers
      option(:bash_helpers, format(File.read(File.join(__dir__, 'job_helpers.sh')), **ports))
    end

    def ports
      { min_port: option(:min_port, 2000), max_port: option(:max_port, 65_535), size: option(:password_size, 8) }
    end

    def base
      <<~BASH
        cd #{@work_dir}
        export host
        export port
        create_yml () {
          echo "Generating connection YAML file..."
          ( umask 077; echo -e "#{connection}" > "#{File.join(@work_dir, 'connection.yml')}" )
        }
        clean_up () {
          echo "Cleaning up..."
          #{option(:clean_script, source(:clean))}
          [[ ${SCRIPT_PID} ]] && pkill -P ${SCRIPT_PID} || :
          pkill -P $$
          exit ${1:-0}
        }
        #{helpers}
        source_helpers
        #{option(:set_host, 'host=$(hostname)')}
        #{option(:before_script, source(:before))}
        echo "Script starting..."
        #{run} &
        SCRIPT_PID=$!
        #{option(:after_script, source(:after))}
        create_yml
        wait ${SCRIPT_PID} || clean_up 1
        clean_up
      BASH
    end
  end
end
