"""Chinese, in simplified characters."""

from __future__ import annotations

from collections.abc import Sequence

_DID = {
    "view": "浏览了“{}”",
    "click": "点击了“{}”",
    "play": "播放了“{}”",
    "favorite": "收藏了“{}”",
    "cart": "把“{}”加入了购物车",
    "purchase": "购买了“{}”",
    "rate": "评价了“{}”",
    "follow": "关注了“{}”",
    "join": "加入了“{}”",
    "message": "联系了“{}”",
    "tag": "用过标签“{}”",
    "attend": "参加了“{}”",
    "complete": "走过“{}”",
    "dismiss": "忽略了“{}”",
}
_LINKS = {
    "together": "选择它的人也选择了这一个",
    "after": "人们随后常常选择这一个",
    "semantic": "两者的介绍很相似",
    "lexical": "两者的名称很相似",
}
_ALIKE = {
    "semantic": "介绍的意思相近",
    "lexical": "名称里有相同的词",
    "category": "属于相同的类别",
    "together": "同样的人选择了两者",
}
_SIGNALS = {
    "semantic": "与你喜欢的介绍相近",
    "lexical": "与你喜欢的名称相近",
    "category": "属于你喜欢的类别",
    "together": "与你选择相同的人选择了它",
    "after": "人们在选择你选过的之后选择了它",
    "popularity": "选择它的人多",
    "recent": "最近选择它的人多",
    "attribute": "与你相似的人选择了它",
    "context": "人们在这样的时刻选择它",
    "profile": "与你的资料相近",
    "instruction": "与你的要求意思相近",
    "instruction_words": "含有你要求的词",
}
_FIELDS = {
    "age": "年龄",
    "gender": "性别",
    "occupation": "职业",
    "city": "城市",
    "place": "地点",
    "time": "时间",
    "device": "设备",
    "weather": "天气",
    "company": "同伴",
    "interests": "兴趣",
}
_ORIGINS = {
    "configured": "由本服务的运营者设定",
    "fitted": "按本数据中用户的选择拟合得出",
    "measured": "由genrec的作者对该模型测得",
    "assumed": "尚无人测量，为假定值",
}
_NOT_SHOWN = {"seen": "你已经接触过它", "filter": "筛选条件排除了它"}


class Chinese:
    """See `Wording`."""

    name = "Chinese"

    def event(self, type_: str, title: str, value: float | None, days: int | None) -> str:
        """`你15天前评价了“Amelie”，打了5分`."""
        did = _DID[type_].format(title) if type_ in _DID else f"对“{title}”有过{type_}操作"
        rated = f"，打了{value:g}分" if type_ == "rate" and value is not None else ""
        when = "" if days is None else {0: "今天", 1: "昨天"}.get(days, f"{days}天前")
        return f"你{when}{did}{rated}"

    def field(self, name: str) -> str:
        return _FIELDS.get(name, name)

    def fact(self, name: str, value: str) -> str:
        return f"你的{self.field(name)}是{value}"

    def instruction(self, words: str) -> str:
        return f"你想要“{words}”"

    def takers(self, count: int) -> str:
        return f"有{count}人选择了它"

    def listed(self, title: str) -> str:
        return f"目录里有“{title}”"

    def link(self, signal: str, shared: str) -> str:
        return f"两者都属于{shared}" if signal == "category" and shared else _LINKS.get(signal, "")

    def reason(self, texts: Sequence[str], links: Sequence[str]) -> str:
        once = [link if link not in links[place + 1 :] else "" for place, link in enumerate(links)]
        parts = [f"{text}，{link}" if link else text for text, link in zip(texts, once, strict=True)]
        return f"因为{'；并且'.join(parts)}。"

    def opening(self, texts: Sequence[str], title: str) -> str:
        return f"因为{'，并且'.join(texts)}，你可能会喜欢“{title}”"

    def alike(self, signal: str) -> str:
        return _ALIKE[signal]

    def signal(self, name: str) -> str:
        return _SIGNALS[name]

    def not_shown(self, title: str, cause: str) -> str:
        return f"没有推荐“{title}”：{_NOT_SHOWN[cause]}。"

    def shown(self, title: str, rank: int) -> str:
        return f"“{title}”已被推荐，排在第{rank}位。"

    def behind(self, title: str, rank: int | None, of: int, lacks: Sequence[str]) -> str:
        place = f"排在前{of}位之后" if rank is None else f"在{of}个候选中排在第{rank}位"
        return f"“{title}”{place}。" + (f"排在它前面的，这些方面更强：{'；'.join(lacks)}。" if lacks else "")

    def contrast(self, better: str, other: str, because: Sequence[str]) -> str:
        if not because:
            return f"“{better}”和“{other}”不分先后。"
        return f"“{better}”排在“{other}”之前，主要因为{'，并且'.join(because)}。"

    def model_share(self, model: str, weight: float, origin: str) -> str:
        return f"语言模型{model}决定得分的{weight:.0%}，其余由各项信号决定：{_ORIGINS[origin]}。"

    def unprofiled(self) -> str:
        return "请求时设置profiling: false，列表就不使用用户的历史和资料，只使用请求的情境与要求，以及他人的选择。"
