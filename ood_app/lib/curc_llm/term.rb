# frozen_string_literal: true

module CurcLlm
  # Which QoS takes a launch, and for how long. The same choice as the planner's (plan/limits.py): the shortest that
  # takes it; one for tests only when it is asked for, when the preset says so, or when there is no other.
  class Term
    UNLIMITED_H = 8760.0 # a year, where a site has no QoS that says less

    # @return [String] the QoS that was asked for; empty: any
    attr_reader :wanted

    # @param table [LaunchTable]
    # @param place [Place]
    # @param preset [String]
    # @param wanted [String] a QoS that was asked for; empty: any
    def initialize(table, place, preset: '', wanted: '')
      @table, @place, @wanted = table, place, wanted
      @tests = table.presets.dig(preset, 'goal') == 'development'
    end

    # QoS that take so many of these GPUs, the shortest first.
    # @return [Array<String>]
    def takers
      return [''] if @table.qos.empty?

      names = @wanted.empty? ? in_order : [@wanted] & limits.keys
      names.select { |name| limits[name].nil? || @place.count <= limits[name] }
    end

    # @return [String, nil] the QoS for so many hours; nil when none takes them
    def find(hours)
      takers.find { |name| min_h(name) <= hours && hours <= max_h(name) }
    end

    # @return [Float] the longest wall time in hours; 0 when no QoS takes these GPUs
    def longest_h
      takers.map { |name| max_h(name) }.max || 0
    end

    # @return [Float] the shortest wall time in hours
    def shortest_h
      takers.map { |name| min_h(name) }.min || 0
    end

    # The QoS that the table's price was worked out with.
    def usual
      find(@table.site['default_hours']) || takers.first
    end

    # All QoS that have these GPUs, with the most GPUs that each gives.
    def limits
      @place.gpu['qos'].select { |name, _| @table.qos.key?(name) }
    end

    private

    def in_order
      for_work = limits.keys.reject { |name| @table.qos[name]['is_for_tests'] }
      chosen = @tests || for_work.empty? ? limits.keys : for_work
      chosen.sort_by { |name| [max_h(name), name] }
    end

    def max_h(name)
      @table.qos.dig(name, 'max_time_h') || UNLIMITED_H
    end

    def min_h(name)
      @table.qos.dig(name, 'min_time_h') || 0
    end
  end
end
