# frozen_string_literal: true

module CurcLlm
  # What a checked launch asks of Slurm, in the portal's words. The same options as `curc-llm launch` gives sbatch
  # (src/curc_llm/slurm/script.py); the tests compare the two for every launch of the table.
  class SlurmRequest
    JOB_NAME = 'curc-llm'
    # Seconds before the end at which the job is told (slurm/request.py, WARN_BEFORE_END_S).
    WARN_BEFORE_END_S = 120

    # @param launch [Launch]
    def initialize(launch)
      @launch = launch
    end

    def job_name
      JOB_NAME
    end

    def partition
      @launch.place.gpu['partition']
    end

    # nil, rather than empty, lets the portal leave the option out.
    def qos
      presence(@launch.qos)
    end

    def account
      presence(@launch.account)
    end

    def reservation
      presence(@launch.reservation)
    end

    # Wall time in seconds.
    def wall_time_s
      @launch.hours * 3600
    end

    # What the portal has no word for, or loses (`gpus_per_node` drops the type). The portal passes lists on as they
    # are, without a shell, after its own options.
    def native
      nodes = @launch.row.num_nodes
      ["--nodes=#{nodes}", "--ntasks=#{nodes}", *over_nodes(nodes),
       "--cpus-per-task=#{@launch.row.cpus}", "--gres=#{gres(nodes)}", "--mem=#{@launch.row.memory_gib}G",
       "--signal=B:USR1@#{WARN_BEFORE_END_S}"]
    end

    private

    # Of several nodes each one runs one task, and nobody else's job where that is the site's rule or costs nothing.
    def over_nodes(nodes)
      return [] if nodes == 1

      ['--ntasks-per-node=1', *('--exclusive' if @launch.place.gpu['exclusive'])]
    end

    def gres(nodes)
      "#{@launch.place.gpu['gres']}:#{@launch.place.count / nodes}"
    end

    def presence(text)
      text.nil? || text.empty? ? nil : text
    end
  end
end
