# frozen_string_literal: true

module Portal
  # sbatch's command line for the `script` part of a submit file: the options that the portal knows, in its order,
  # and what it silently loses (GPU types in gpus_per_node, unknown keys).
  class Submission
    FLAGS = [
      ['-J', :job_name], ['-i', :input_path], ['-o', :output_path], ['-e', :error_path],
      ['--reservation', :reservation_id], ['-p', :queue_name], ['--priority', :priority], ['-A', :accounting_id],
      ['-t', :wall_time], ['-a', :job_array_request], ['--qos', :qos], ['--gpus-per-node', :gpus_per_node],
      ['-n', :cores]
    ].freeze
    NUMBERS = %i[priority wall_time gpus_per_node cores].freeze
    SHELL = '#!/bin/bash'

    attr_reader :options, :content

    # @param content [String] the job script
    # @param options [Hash] the submit file's `script`
    # @param workdir [#to_s] the staged folder
    # @param job_name [String]
    def initialize(content, options, workdir:, job_name:)
      own = { job_name: job_name, workdir: workdir.to_s, output_path: File.join(workdir.to_s, 'output.log'),
              shell_path: '/bin/bash' }
      @options = own.merge(options.transform_keys(&:to_sym).compact)
      @content = content
    end

    # @return [Array<String>] what follows `sbatch`; `native` must be a list and comes last, so it wins
    def arguments
      said = hold + requeue + ['-D', options[:workdir]] + mail
      said += FLAGS.reject { |_, key| options[key].nil? }.flat_map { |flag, key| [flag, value(key)] }
      said += ['--export', export]
      (said + Array(native)).map(&:to_s)
    end

    # @return [String] what sbatch reads on its standard input
    def stdin
      "#{SHELL}\n#{content}"
    end

    # @return [Hash{String=>String}] the job_environment, put into sbatch's own environment
    def environment
      (options[:job_environment] || {}).to_h { |key, set| [key.to_s, set.to_s] }
    end

    private

    def native
      given = options[:native]
      raise TypeError, "no implicit conversion of #{given.class} into Array" unless given.nil? || given.is_a?(Array)

      given
    end

    def hold
      options[:submit_as_hold] ? ['-H'] : []
    end

    def requeue
      return [] if options[:rerunnable].nil?

      [options[:rerunnable] ? '--requeue' : '--no-requeue']
    end

    def mail
      user = options[:email] ? ['--mail-user', Array(options[:email]).join(',')] : []
      started, ended = options[:email_on_started], options[:email_on_terminated]
      return user + %w[--mail-type ALL] if started && ended
      return user + %w[--mail-type BEGIN] if started
      return user + %w[--mail-type END] if ended
      return user + %w[--mail-type NONE] if started == false && ended == false

      user
    end

    def value(key)
      number = NUMBERS.include?(key) ? options[key].to_i : options[key]
      return number unless key == :wall_time

      format('%02d:%02d:%02d', number / 3600, number / 60 % 60, number % 60)
    end

    def export
      names = environment.keys
      names.unshift('ALL') if options[:copy_environment]
      names.empty? ? 'NONE' : names.join(',')
    end
  end
end
