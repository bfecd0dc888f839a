# frozen_string_literal: true

# Stages the app as the portal does: `ruby template_stage.rb APP_ROOT STAGED_ROOT CONTEXT.json [SUBMIT.json]`. Beside the
# staged template it leaves job_script_content.sh, with the first line that the portal's adapter puts in front.
require 'json'
require 'ostruct'
require 'pathname'
require_relative 'lib/job_script'
require_relative 'lib/staging'

app_root, staged_root, context_file, submit_file = ARGV
values = JSON.parse(File.read(context_file))
submit = submit_file ? JSON.parse(File.read(submit_file)) : {}
app = Struct.new(:root, :token, :title).new(Pathname(app_root), 'sys/curc-llm', 'LLM')
session = Struct.new(:app, :staged_root, :id).new(app, Pathname(staged_root), File.basename(staged_root))
context = OpenStruct.new(values.is_a?(Hash) ? values.transform_keys(&:to_sym) : {})
Portal::Staging.stage(app_root, staged_root, session: session, context: context, values: values)
connect = { 'conn_params' => %w[llm_root llm_app] }.merge(submit.fetch('batch_connect', {}))
script = Portal::JobScript.render(work_dir: staged_root, batch_connect: connect.transform_keys(&:to_sym))
File.write(File.join(staged_root, 'job_script_content.sh'), "#!/bin/bash\n#{script}")
