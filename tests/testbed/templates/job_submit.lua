-- What CURC's filter is documented to refuse (job submission error codes, 2026-08-05), in its words. The comments give
-- the documentation's numbers. `rules`, above, is rendered from the site file.
local function words(list) return table.concat(list, ", ") end

local function refuse(text, ...)
  slurm.log_user("%s", string.format(text, ...))
  return slurm.ERROR
end

local function is_set(value) return value ~= nil and value < slurm.NO_VAL16 end
local function is_set32(value) return value ~= nil and value < slurm.NO_VAL end

-- Either all partitions have GPUs, or none has (14).
local function split_partitions(text)
  local names, with_gpus = {}, 0
  for name in string.gmatch(text, "[^,]+") do
    names[#names + 1] = name
    if rules.partitions[name] then with_gpus = with_gpus + 1 end
  end
  return names, with_gpus
end

local function check_qos(job, partition)
  local known = rules.partitions[partition].qos
  for _, name in ipairs(known) do
    if name == job.qos then return slurm.SUCCESS end
  end
  return refuse("The %s partition accepts the following QoS values: %s", partition, words(known)) -- 1
end

local function check_time(job)
  local qos = rules.qos[job.qos]
  if not qos then return slurm.SUCCESS end
  if job.time_limit > qos.max_minutes then
    return refuse("The requested runtime of the %s QoS cannot exceed %g hour(s).", job.qos, qos.max_minutes / 60) -- 18
  end
  if job.time_limit < qos.min_minutes then
    return refuse("The requested runtime of the %s QoS must be greater than %g hour(s).", job.qos, qos.min_minutes / 60) -- 19
  end
  return slurm.SUCCESS
end

-- "gres:gpu:a100-40gb:2" (Slurm 22.05) or "gres/gpu:a100-40gb:2" (newer) → type (may be empty), count
local function parse_gres(text)
  local rest = string.match(text, "^gres[:/](.+)$") or text
  local name, tail = string.match(rest, "^([^:]+):?(.*)$")
  if name ~= "gpu" then return nil, nil, refuse("For GPU partitions, users must use the gres name gpu.") end -- 6
  if tail == "" then return "", 1 end
  if string.match(tail, "^%d+$") then return "", tonumber(tail) end
  local gpu, count = string.match(tail, "^([%w_.%-]+):(%d+)$")
  if gpu then return gpu, tonumber(count) end
  if string.match(tail, "^[%w_.%-]+$") then return tail, 1 end
  return nil, nil, refuse("An invalid --gres input was provided.") -- 5
end

local function types_of(job, partition)
  local names = {}
  for _, gpu in ipairs(rules.partitions[partition].types) do
    if gpu.most[job.qos] then names[#names + 1] = gpu.name end
  end
  return names
end

local function find_type(partition, name)
  for _, gpu in ipairs(rules.partitions[partition].types) do
    if gpu.name == name then return gpu end
  end
end

-- Warnings 1 and 2: a job that names no type gets the smallest.
local function choose_type(job, partition, count)
  local names = types_of(job, partition)
  slurm.log_user("%s", string.format(
    "Please modify your provided GRES so that the GRES type is specified. For the %s partition and %s QoS, valid GRES "
    .. "are as follows (where N is the number of GPUs): gpu:%s:N", partition, job.qos, table.concat(names, ":N, gpu:")))
  local gres = string.format("gpu:%s:%d", names[1], count)
  slurm.log_user("%s", string.format(
    "Since a GRES type was not specified, GRES has been set to --gres=%s.", gres))
  job.tres_per_node = "gres:" .. gres
  return names[1]
end

local function check_size(job, gpu, count)
  local tasks = is_set32(job.num_tasks) and job.num_tasks or 1
  local cpus = tasks * (is_set(job.cpus_per_task) and job.cpus_per_task or 1)
  local most = gpu.cores * count
  if tasks > most then
    return refuse("You are requesting %d tasks, which exceeds the maximum allowed of %d tasks for %d GPU(s) of type %s.",
      tasks, most, count, gpu.name) -- 10
  end
  if cpus > most then
    return refuse("You are requesting %d CPUs, which exceeds the maximum allowed of %d CPUs for %d GPU(s) of type %s.",
      cpus, most, count, gpu.name) -- 11
  end
  local memory = job.min_mem_per_node
  if memory ~= nil and gpu.memory_mib and memory > math.floor(gpu.memory_mib * count) then
    return refuse(
      "You are requesting %d MiB of RAM, which exceeds the maximum allowed of %d MiB of RAM for %d GPU(s) of type %s.",
      memory, math.floor(gpu.memory_mib * count), count, gpu.name) -- 12
  end
  return slurm.SUCCESS
end

local function check_gpus(job, partition)
  local gres = job.tres_per_node
  if gres == nil or gres == "" then
    return refuse("When requesting resources from GPU partitions, users must specify --gres.") -- 20
  end
  if string.find(gres, ",", 1, true) then
    return refuse("A list of gres options is currently not permitted.") -- 4
  end
  local name, count, failed = parse_gres(gres)
  if failed then return failed end
  if name == "" then name = choose_type(job, partition, count) end
  local gpu = find_type(partition, name)
  if not gpu or not gpu.most[job.qos] then
    return refuse("An invalid GRES type was specified for the selected partition %s and QoS %s. Valid GRES types for "
      .. "this partition and QoS selection are: %s.", partition, job.qos, words(types_of(job, partition))) -- 7
  end
  if count > gpu.most[job.qos] then
    return refuse("For the QoS %s, users can only request %d GPU(s) of type %s per job.",
      job.qos, gpu.most[job.qos], name) -- 8
  end
  return check_size(job, gpu, count)
end

local function check_gpu_job(job, partition)
  if not is_set32(job.min_nodes) then
    return refuse("Users must specify --nodes for all GPU partitions.") -- 2
  end
  if job.min_nodes > 1 then
    return refuse("All GPU jobs are limited to 1 node. Please reschedule your job using --nodes=1.") -- 3
  end
  if not is_set32(job.num_tasks) and job.min_mem_per_node == nil and job.min_mem_per_cpu == nil then
    return refuse("Users must specify --ntasks or --mem for all GPU partitions.") -- 9
  end
  return check_gpus(job, partition)
end

local function check(job)
  if job.partition == nil then
    return refuse("A partition has not been provided, specifying a partition is now required.") -- 13
  end
  local names, with_gpus = split_partitions(job.partition)
  if with_gpus > 0 and with_gpus < #names then
    return refuse("If a list of partitions is provided, there cannot be a mix of GPU and CPU only partitions.") -- 14
  end
  if with_gpus == 0 then return slurm.SUCCESS end
  if job.qos == nil then
    return refuse("A Quality of Service (QoS) has not been provided. Specifying a QoS is now required.") -- 15
  end
  if string.find(job.qos, ",", 1, true) then return refuse("A list of QoS is currently not supported.") end -- 16
  if not is_set32(job.time_limit) then
    return refuse("Time has not been specified (i.e. the Slurm directive --time). "
      .. "Specifying job run time is now required.") -- 17
  end
  if #names > 1 then
    return refuse("If a list of GPU partitions is provided, then GRES must be set to --gres=gpu:N, "
      .. "where N is the number of GPUs.") -- 21: the bed takes no lists of GPU partitions at all
  end
  for _, step in ipairs({ check_qos, check_time, check_gpu_job }) do
    local answer = step(job, names[1])
    if answer ~= slurm.SUCCESS then return answer end
  end
  return slurm.SUCCESS
end

function slurm_job_submit(job, _, _) return check(job) end
function slurm_job_modify(_, _, _, _) return slurm.SUCCESS end
return slurm.SUCCESS
